import SharedProtocol
import Storage
import StorageTesting
import Testing

@testable import auth_service

/// Groups of the file and of the panel, and who is in them.
@Suite(.bothEngines) struct GroupTests {
    private let fixture: AuthFixture
    private let auth: RunningAuth
    private let ann: UserID

    private static let groups = """
        groups:
          staff:
            rules: [{field: affiliation, contains: "staff@illinois.edu"}, {field: idp, equals: "urn:uiuc"}]
          lab: {}

        """

    init() async throws {
        fixture = try AuthFixture(Self.groups)
        auth = try await fixture.start()
        ann = try await auth.call(Auth.CreateUser(email: "ann@example.edu", by: .admin)).person.id
    }

    private func configure(_ groups: String) async throws {
        try fixture.configure(AuthFixture.withDevUser + groups)
        try await auth.calls.fileGroups.synchronise()
    }

    private func claim(_ claims: String) async throws {
        try await auth.database.write { [ann] connection in
            try connection.execute("UPDATE users SET claims = ? WHERE id = ?", [claims, ann.rawValue])
        }
    }

    /// Their groups, and why.
    private func memberships() async throws -> String {
        let record = try await auth.call(Auth.GetUser(user: ann))
        let all = record.memberships.map { "\($0.group)\($0.isByRule ? "+rule" : "")\($0.isByHand ? "+hand" : "")" }
        return "\(record.person.groups.map(\.rawValue).joined(separator: ",")) \(all.joined(separator: ","))"
    }

    private func set(_ group: String, _ isMember: Bool = true) async throws {
        _ = try await auth.call(
            Auth.SetMember(group: GroupName(group), user: ann, isMember: isMember, by: .admin))
    }

    private static let staff = #"{"affiliation":["staff@illinois.edu","member@illinois.edu"],"idp":["urn:uiuc"]}"#

    @Test func aRuleMakesMembersUntilItMatchesNoMore() async throws {
        try await claim(Self.staff)
        #expect(try await memberships() == "default,staff staff+rule")
        // Half of the rules match.
        try await claim(#"{"affiliation":["staff@illinois.edu"],"idp":["urn:other"]}"#)
        #expect(try await memberships() == "default ")
        try await claim("no JSON")
        #expect(try await memberships() == "default ")
    }

    @Test func aHandMadeMembershipStaysWhenTheRuleMatchesNoMore() async throws {
        try await claim(Self.staff)
        try await set("staff")
        try await set("lab")
        #expect(try await memberships() == "default,lab,staff lab+hand,staff+rule+hand")
        try await claim("{}")
        #expect(try await memberships() == "default,lab,staff lab+hand,staff+hand")
        try await set("staff", false)
        #expect(try await memberships() == "default,lab lab+hand")
    }

    @Test func keysAndSessionsCarryTheGroups() async throws {
        try await set("lab")
        let key = try await auth.createKey()
        let holder = try await auth.call(Auth.Authenticate(key: fixture.hash(ofKey: key.secret)))
        #expect(holder.person.groups == [.everyone, "lab"])
        #expect(holder.person.id == ann)
        let session = try await auth.call(Auth.DevLogin())
        _ = try await auth.call(
            Auth.SetMember(group: "lab", user: session.person.id, isMember: true, by: .admin))
        let resumed = try await auth.call(Auth.ResumeSession(session: fixture.hash(ofSession: session.secret)))
        #expect(resumed.person.groups == [.everyone, "lab"])
    }

    @Test func aChangedFileHoldsAtOnceAndIsToldToTheWebs() async throws {
        try await claim(Self.staff)
        let before = try await auth.number("SELECT revision FROM revision")
        try await configure("groups: {staff: {rules: [{field: ou, equals: x}]}, lab: {}}\n")
        #expect(try await memberships() == "default ")
        #expect(try await auth.number("SELECT revision FROM revision") == (before ?? 0) + 1)
        // The same once more is no change.
        try await auth.calls.fileGroups.synchronise()
        #expect(try await auth.number("SELECT revision FROM revision") == (before ?? 0) + 1)
    }

    @Test func groupsThatLeaveTheFileAreDisabledUntilTheyComeBack() async throws {
        try await set("lab")
        try await configure("")
        #expect(try await memberships() == "default lab+hand")
        #expect(try await states() == "default file, lab panel disabled, staff panel disabled")
        try await configure("groups: {lab: {}}\n")
        #expect(try await memberships() == "default,lab lab+hand")
        #expect(try await states() == "default file, lab file, staff panel disabled")
        #expect(
            try await auth.auditedActions() == [
                "user.create", "member.add", "group.leave_file", "group.leave_file", "group.take_over",
            ])
    }

    @Test func anAdminTakesUpAGroupThatHasLeftTheFile() async throws {
        try await set("lab")
        try await configure("")
        _ = try await auth.call(Auth.RenameGroup(name: "lab", title: "The lab", by: .admin))
        _ = try await auth.call(Auth.SetGroupDisabled(name: "lab", isDisabled: false, by: .admin))
        #expect(try await memberships() == "default,lab lab+hand")
        #expect(try await states() == "default file, lab panel, staff panel disabled")
    }

    private func states() async throws -> String {
        try await auth.call(Auth.ListGroups())
            .map { "\($0.name) \($0.origin)\($0.isDisabled ? " disabled" : "")" }.joined(separator: ", ")
    }

    @Test func aFileGroupTakesOverThePanelsOfItsName() async throws {
        _ = try await auth.call(Auth.CreateGroup(name: "chem", title: "Chemistry", by: .admin))
        try await set("chem")
        #expect(try await memberships() == "default,chem chem+hand")
        try await configure(Self.groups + "  chem: {disabled: true}\n")
        #expect(try await memberships() == "default chem+hand")
        let chem = try #require(try await auth.call(Auth.ListGroups()).first { $0.name == "chem" })
        #expect(
            chem
                == Auth.GroupRecord(name: "chem", title: "chem", origin: .file, isDisabled: true, handMembers: 1))
        let entry = try #require(try await auth.call(Auth.ReadAudit(search: "take_over", limit: 1)).first)
        #expect(entry.by == nil)
        #expect(entry.action.subject == "group chem")
        #expect(entry.action.before == "panel, enabled, Chemistry")
        #expect(entry.action.after == "file, disabled")
    }

    @Test func groupsOfTheFileAreChangedThere() async throws {
        #expect(await auth.failure(Auth.RenameGroup(name: "lab", title: "Lab", by: .admin)) == .refused)
        #expect(await auth.failure(Auth.SetGroupDisabled(name: "lab", isDisabled: true, by: .admin)) == .refused)
        #expect(await auth.failure(Auth.SetGroupDisabled(name: "default", isDisabled: true, by: .admin)) == .refused)
        #expect(await auth.failure(Auth.CreateGroup(name: "lab", title: "Lab", by: .admin)) == .refused)
        #expect(await auth.failure(Auth.CreateGroup(name: "default", title: "All", by: .admin)) == .refused)
        #expect(try await auth.auditedActions() == ["user.create"])
    }

    @Test func namesThatDifferByLetterCaseAreOne() async throws {
        _ = try await auth.call(Auth.CreateGroup(name: "Chem", title: "Chemistry", by: .admin))
        for name in ["chem", "CHEM", "LAB", "Default"] {
            #expect(await auth.failure(Auth.CreateGroup(name: GroupName(name), title: "x", by: .admin)) == .refused)
        }
        #expect(try await auth.auditedActions() == ["user.create", "group.create"])
    }

    @Test func panelGroupsAreMadeRenamedAndDisabled() async throws {
        _ = try await auth.call(Auth.CreateGroup(name: "chem.1", title: " Chemistry ", by: .admin))
        #expect(await auth.failure(Auth.CreateGroup(name: "chem.1", title: "again", by: .admin)) == .refused)
        _ = try await auth.call(Auth.RenameGroup(name: "chem.1", title: "Chemie", by: .admin))
        try await set("chem.1")
        let before = try await auth.number("SELECT revision FROM revision")
        _ = try await auth.call(Auth.SetGroupDisabled(name: "chem.1", isDisabled: true, by: .admin))
        #expect(try await memberships() == "default chem.1+hand")
        #expect(try await auth.number("SELECT revision FROM revision") == (before ?? 0) + 1)
        let chem = try #require(try await auth.call(Auth.ListGroups()).first { $0.name == "chem.1" })
        #expect(chem.title == "Chemie")
        #expect(chem.isDisabled)
        _ = try await auth.call(Auth.SetGroupDisabled(name: "chem.1", isDisabled: false, by: .admin))
        #expect(try await memberships() == "default,chem.1 chem.1+hand")
        #expect(
            try await auth.auditedActions() == [
                "user.create", "group.create", "group.rename", "member.add", "group.disable", "group.enable",
            ])
        #expect(await auth.failure(Auth.RenameGroup(name: "none", title: "x", by: .admin)) == .notFound)
    }

    @Test(arguments: ["", ".", "..", "a b", "ü", "a/b", String(repeating: "x", count: 101)])
    func aNameThatIsNoneIsRefused(name: String) async {
        #expect(await auth.failure(Auth.CreateGroup(name: GroupName(name), title: "t", by: .admin)) == .refused)
        #expect(await auth.failure(Auth.CreateGroup(name: "ok", title: " \n", by: .admin)) == .refused)
        #expect(await auth.failure(Auth.CreateGroup(name: "ok", title: "a\u{202E}b", by: .admin)) == .refused)
    }

    @Test func membersAreChangedOnce() async throws {
        try await set("lab")
        try await set("lab")
        try await set("staff", false)
        #expect(try await auth.auditedActions() == ["user.create", "member.add"])
        #expect(await auth.failure(Auth.SetMember(group: "no", user: ann, isMember: true, by: .admin)) == .notFound)
        #expect(
            await auth.failure(Auth.SetMember(group: "lab", user: UserID(99), isMember: true, by: .admin)) == .notFound)
        #expect(
            await auth.failure(Auth.SetMember(group: .everyone, user: ann, isMember: true, by: .admin)) == .refused)
    }

    @Test func membersAreListedByAddressAndPage() async throws {
        for name in ["cy", "bob", "dora"] {
            _ = try await auth.call(Auth.CreateUser(email: "\(name)@example.edu", by: .admin))
        }
        try await auth.database.write { connection in
            try connection.execute("UPDATE users SET claims = ? WHERE email < 'c'", [Self.staff])
        }
        try await set("staff")
        try await auth.database.write { connection in
            try connection.execute(
                "INSERT INTO member SELECT 'staff', id, 1 FROM users WHERE email = 'cy@example.edu'")
        }
        let all = try await members("staff", 0, 200)
        #expect(all == "3: ann+rule+hand bob+rule cy+hand")
        #expect(try await members("staff", 1, 1) == "3: bob+rule")
        try await set("lab")
        #expect(try await members("lab", 0, 200) == "1: ann+hand")
        #expect(try await members("lab", 1, 200) == "1:")
        #expect(await auth.failure(Auth.ListMembers(group: .everyone, limit: 1)) == .refused)
        #expect(await auth.failure(Auth.ListMembers(group: "none", limit: 1)) == .notFound)
        #expect(await auth.failure(Auth.ListMembers(group: "lab", limit: 201)) == .invalidParams)
    }

    private func members(_ group: GroupName, _ offset: Int, _ limit: Int) async throws -> String {
        let page = try await auth.call(Auth.ListMembers(group: group, offset: offset, limit: limit))
        return page.members.reduce("\(page.total):") { text, member in
            text + " \(member.name)\(member.isByRule ? "+rule" : "")\(member.isByHand ? "+hand" : "")"
        }
    }

    /// Instances that start, and see a changed file, at the same time write each change once.
    @Test func severalInstancesSynchroniseOnce() async throws {
        guard fixture.database.engine == .postgres else { return }
        let other = try await fixture.start()
        try fixture.configure(AuthFixture.withDevUser)
        async let first: Void = auth.calls.fileGroups.synchronise()
        async let second: Void = other.calls.fileGroups.synchronise()
        _ = try await (first, second)
        #expect(try await auth.auditedActions() == ["user.create", "group.leave_file", "group.leave_file"])
        #expect(try await auth.call(Auth.VerifyAudit()).fault == nil)
    }
}

extension GroupName: ExpressibleByStringLiteral {
    public init(stringLiteral name: String) { self.init(rawValue: name) }
}
