import HTTPTypes
import NIOConcurrencyHelpers
import SharedProtocol
import Testing

@testable import web_service

/// Admins and the access of others.
@Suite struct UserAccessTests {
    let fixture: SiteFixture

    init() throws {
        fixture = try SiteFixture(admins: ["ada@example.edu"])
        fixture.services.users.withLockedValue { $0.append(Self.grace) }
    }

    private static let grace = Auth.UserRecord(
        person: Auth.Person(
            id: UserID(2), email: "grace@example.edu", name: "<b>", groups: [.everyone, "chem"], created: Timestamp(0)),
        memberships: [
            Auth.Membership(group: "chem", isByRule: true, isByHand: true),
            Auth.Membership(group: "lab & co", isByRule: true, isByHand: false),
        ],
        identity: Auth.Identity(issuer: "https://cilogon.org", subject: "http://cilogon.org/serverA/users/<7>"),
        lastLogin: Timestamp(1_700_000_000_000), isDisabled: false)
    private static let actor = "by 1 ada@example.edu from 192.0.2.7"
    private var calls: [String] { fixture.services.calls.withLockedValue { $0 } }

    private func post(_ path: String, _ body: String = "") async throws -> SiteFixture.Reply {
        try await fixture.send(.post, path, origin: SiteFixture.origin, body: body)
    }

    @Test(arguments: [
        ("", "email up", "E-mail address", "ascending"), ("sort=name", "name up", "Name", "ascending"),
        ("sort=last_login&order=down", "lastLogin down", "Last login", "descending"),
        ("sort=password&order=sideways", "email up", "E-mail address", "ascending"),
    ])
    func theListIsSorted(query: String, order: String, column: String, direction: String) async throws {
        let reply = try await fixture.send(.get, "/admin/users?\(query)")
        #expect(calls.contains("find  0 \(order)"))
        let heading = try #require(reply.body.firstMatch(of: /aria-sort="([a-z]+)"><a href="([^"]+)">([^<]+)</))
        #expect(heading.1 == direction && heading.3 == column)
        // The sorted column's link turns the order round, every other one's begins at the top.
        #expect(heading.2.hasSuffix(direction == "ascending" ? "order=down" : "order=up"))
        #expect(reply.body.matches(of: /aria-sort/).count == 1)
    }

    @Test func beyondTheEndOneStepLeadsBack() async throws {
        let reply = try await fixture.send(.get, "/admin/users?offset=999999999999")
        #expect(reply.body.contains("Nobody was found"))
        #expect(reply.body.contains("offset=0\" rel=\"prev\""))
    }

    @Test func aUserIsCreated() async throws {
        let reply = try await post("/admin/users", "email=new%40example.edu")
        #expect(reply.headers[.location] == "/admin/users/1?done=user-created")
        #expect(calls.contains("create user new@example.edu \(Self.actor)"))
        let refused = try await post("/admin/users", "email=%3Cb%3E")
        #expect(refused.status == .unprocessableContent)
        #expect(refused.body.contains(#"id="email-problem">That is not an e-mail address."#))
        #expect(refused.body.contains(#"value="&lt;b&gt;" aria-invalid="true""#))
    }

    @Test func aUsersPageShowsWhoTheyAreAndWhyTheyAreInAGroup() async throws {
        let reply = try await fixture.send(.get, "/admin/users/2")
        #expect(reply.body.contains("https://cilogon.org"))
        #expect(reply.body.contains("http://cilogon.org/serverA/users/&lt;7&gt;"))
        #expect(reply.body.contains("2023-11-14 22:13:20 UTC"))
        #expect(reply.body.contains("Chemistry &lt;b&gt;") && reply.body.contains("by rule, by hand"))
        #expect(reply.body.contains("/admin/users/2/groups/chem/leave"))
        #expect(!reply.body.contains("/groups/lab%20%26%20co/leave"), "what rules make is not taken away by hand")
        #expect(reply.body.contains(#"<option value="lab &amp; co">"#), "and may be made by hand, too")
        #expect(
            !reply.body.contains(#"<option value="chem">"#) && !reply.body.contains(#"<option value="default">lab"#))
        #expect(reply.body.contains("/admin/users/2/keys/7/revoke"))
    }

    @Test(arguments: [
        ("disable", "", "disable 2 true", "user-disabled"), ("enable", "", "disable 2 false", "user-enabled"),
        ("unlink", "", "unlink 2", "user-unlinked"),
        ("groups", "group=lab+%26+co", "member lab & co 2 true", "member-added"),
        ("groups/lab%20%26%20co/leave", "", "member lab & co 2 false", "member-removed"),
    ])
    func aChangeIsMadeInTheAdminsName(path: String, body: String, call: String, notice: String) async throws {
        let reply = try await post("/admin/users/2/\(path)", body)
        #expect(reply.status == .seeOther)
        #expect(reply.headers[.location] == "/admin/users/2?done=\(notice)")
        #expect(calls.contains("\(call) \(Self.actor)"))
        #expect(try await fixture.send(.get, "/admin/users/2?done=\(notice)").body.contains(#"class="notice good""#))
    }

    @Test func aKeyOfSomebodyElseIsRevokedInTheAdminsName() async throws {
        let reply = try await post("/admin/users/2/keys/7/revoke")
        #expect(reply.headers[.location] == "/admin/users/2?done=key-revoked")
        #expect(calls.contains("revoke 7 by ada@example.edu"))
    }

    @Test func nobodyDisablesThemselves() async throws {
        #expect(try await !fixture.send(.get, "/admin/users/1").body.contains("/admin/users/1/disable"))
        let reply = try await post("/admin/users/1/disable")
        #expect(reply.status == .badRequest)
        #expect(reply.body.contains("Nobody disables themselves."))
    }

    // MARK: The audit log

    @Test func theLogIsPagedSearchedAndEscaped() async throws {
        fixture.services.auditCount.withLockedValue { $0 = 120 }
        let newest = try await fixture.send(.get, "/admin/audit")
        #expect(calls.contains("read audit newest  51"))
        #expect(newest.body.contains("/admin/audit?search=&amp;before=71"))
        #expect(!newest.body.contains("Newer"))
        #expect(newest.body.contains("<del>&lt;active&gt;</del>") && newest.body.contains("<ins>disabled</ins>"))
        #expect(newest.body.contains("192.0.2.7") && newest.body.contains("ada@example.edu"))
        let middle = try await fixture.send(.get, "/admin/audit?before=71")
        #expect(middle.body.contains("before=21\" rel=\"next\"") && middle.body.contains("after=70\" rel=\"prev\""))
        let last = try await fixture.send(.get, "/admin/audit?before=21&search=a%26b")
        #expect(calls.contains("read audit 21 a&b 51"))
        #expect(last.body.contains("the site itself") && !last.body.contains("Older"))
        #expect(last.body.contains("/admin/audit.csv?search=a%26b"))
    }

    @Test func aSearchInTheLogIsWalkedBothWays() async throws {
        fixture.services.auditCount.withLockedValue { $0 = 120 }
        let path = "/admin/audit?search=ada"
        let older = try await fixture.send(.get, path + "&before=21")
        #expect(older.body.contains("search=ada&amp;after=20\" rel=\"prev\""))
        let newer = try await fixture.send(.get, path + "&after=20")
        #expect(calls.contains("read audit after 20 ada 51"))
        #expect(newer.body.matches(of: /user.disable/).count == 50)
        #expect(newer.body.contains("before=21\" rel=\"next\"") && newer.body.contains("after=70\" rel=\"prev\""))
        // Less than a page is left: the newest page it is.
        let newest = try await fixture.send(.get, path + "&after=100")
        #expect(newest.body.matches(of: /user.disable/).count == 50)
        #expect(newest.body.contains("before=71\" rel=\"next\"") && !newest.body.contains("Newe"))
    }

    @Test func theLogIsAFile() async throws {
        fixture.services.auditCount.withLockedValue { $0 = 450 }
        let reply = try await fixture.send(.get, "/admin/audit.csv?search=x")
        #expect(calls.filter { $0.hasPrefix("read") } == ["newest", "251", "51"].map { "read audit \($0) x 200" })
        let lines = reply.body.split(separator: "\r\n")
        #expect(lines.count == 451)
        #expect(lines[0] == "number,time,user_id,email,address,action,subject,before,after,request")
        #expect(lines[1].hasPrefix("450,2026-11-24T"))
        #expect(lines[1].hasSuffix(",1,ada@example.edu,192.0.2.7,user.disable,'=user 450,<active>,disabled,req_450"))
        #expect(lines[450].contains("Z,,,,user.disable,"))
    }
}
