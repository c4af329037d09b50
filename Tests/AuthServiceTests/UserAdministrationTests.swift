import SharedProtocol
import Storage
import StorageTesting
import Testing

@testable import auth_service

/// What admins do with users.
@Suite(.bothEngines) struct UserAdministrationTests {
    private let fixture: AuthFixture
    private let auth: RunningAuth

    init() async throws {
        fixture = try AuthFixture()
        auth = try await fixture.start()
    }

    private func revision() async throws -> Int64? { try await auth.number("SELECT revision FROM revision") }

    @Test func aUserIsMadeBeforeTheFirstLogin() async throws {
        let record = try await auth.call(Auth.CreateUser(email: "Ann@Example.edu", by: .admin))
        #expect(record.person.email == "ann@example.edu")
        #expect(record.person.groups == [.everyone])
        #expect(record.identity == nil)
        #expect(record.lastLogin == nil)
        #expect(await auth.failure(Auth.CreateUser(email: "ann@example.EDU", by: .admin)) == .refused)
        #expect(await auth.failure(Auth.CreateUser(email: "no address", by: .admin)) == .refused)
        // What a key is made for is this user.
        let key = try await auth.createKey("ann@example.edu")
        let holder = try await auth.call(Auth.Authenticate(key: fixture.hash(ofKey: key.secret)))
        #expect(holder.person.id == record.person.id)
    }

    @Test func disablingEndsSessionsAndKeysUntilItIsUndone() async throws {
        let key = try await auth.createKey("dev@example.com")
        let session = try await auth.call(Auth.DevLogin())
        let user = session.person.id
        let before = try await revision()
        _ = try await auth.call(Auth.SetUserDisabled(user: user, isDisabled: true, by: .admin))
        #expect(try await revision() == (before ?? 0) + 1)
        let resume = Auth.ResumeSession(session: fixture.hash(ofSession: session.secret))
        let authenticate = Auth.Authenticate(key: fixture.hash(ofKey: key.secret))
        #expect(await auth.failure(resume) == .unauthenticated)
        #expect(await auth.failure(authenticate) == .accountDisabled)
        #expect(await auth.failure(Auth.DevLogin()) == .accountDisabled)
        // Again changes nothing.
        _ = try await auth.call(Auth.SetUserDisabled(user: user, isDisabled: true, by: .admin))
        #expect(try await revision() == (before ?? 0) + 1)
        _ = try await auth.call(Auth.SetUserDisabled(user: user, isDisabled: false, by: .admin))
        #expect(await auth.failure(authenticate) == nil)
        #expect(await auth.failure(resume) == .unauthenticated)
        let entries = try await auth.call(Auth.ReadAudit(limit: 10))
        #expect(entries.map(\.action.name) == ["user.enable", "user.disable"])
        #expect(entries.last?.action.subject == "user \(user) dev@example.com")
        #expect(entries.last?.action.before == "enabled")
        #expect(entries.last?.action.after == "disabled")
        #expect(entries.last?.by == .admin)
    }

    @Test func nobodyDisablesThemselves() async throws {
        let user = try await auth.call(Auth.CreateUser(email: "ann@example.edu", by: .admin)).person.id
        let ann = Auth.Actor(user: user, email: "ann@example.edu", address: "")
        #expect(await auth.failure(Auth.SetUserDisabled(user: user, isDisabled: true, by: ann)) == .refused)
        #expect(await auth.failure(Auth.SetUserDisabled(user: UserID(99), isDisabled: true, by: ann)) == .notFound)
    }

    @Test func unlinkingForgetsTheIdentityAndEndsSessions() async throws {
        let session = try await auth.call(Auth.DevLogin())
        let user = session.person.id
        let before = try await revision()
        // Nobody to forget yet.
        _ = try await auth.call(Auth.UnlinkUser(user: user, by: .admin))
        #expect(try await revision() == before)
        try await auth.database.write { connection in
            try connection.execute("UPDATE users SET issuer = 'https://idp', subject = 's1', last_login = 5")
        }
        let record = try await auth.call(Auth.GetUser(user: user))
        #expect(record.identity == Auth.Identity(issuer: "https://idp", subject: "s1"))
        #expect(record.lastLogin == Timestamp(5))
        _ = try await auth.call(Auth.UnlinkUser(user: user, by: .admin))
        #expect(try await auth.call(Auth.GetUser(user: user)).identity == nil)
        let resume = Auth.ResumeSession(session: fixture.hash(ofSession: session.secret))
        #expect(await auth.failure(resume) == .unauthenticated)
        #expect(try await revision() == (before ?? 0) + 1)
        let entry = try #require(try await auth.call(Auth.ReadAudit(limit: 1)).first)
        #expect(entry.action.before == "s1 of https://idp")
        #expect(await auth.failure(Auth.UnlinkUser(user: UserID(99), by: .admin)) == .notFound)
    }

    @Test func anAdminsRevocationIsInTheAuditLog() async throws {
        let key = try await auth.createKey()
        let user = try await auth.call(Auth.Authenticate(key: fixture.hash(ofKey: key.secret))).person.id
        let revoke = Auth.RevokeKey(user: user, key: key.summary.id, by: .admin)
        let before = try await revision()
        _ = try await auth.call(revoke)
        _ = try await auth.call(revoke)
        #expect(await auth.failure(Auth.Authenticate(key: fixture.hash(ofKey: key.secret))) == .unauthenticated)
        #expect(try await revision() == (before ?? 0) + 1)
        let entries = try await auth.call(Auth.ReadAudit(limit: 10))
        #expect(entries.map(\.action.name) == ["key.revoke"])
        #expect(entries.first?.action.before == "key \(key.summary.id) \(key.summary.hint)")
    }

    @Test func thoseWhoLostTheirAccessAreFound() async throws {
        func key(_ name: String, expires: Timestamp? = nil) async throws -> KeyID {
            try await auth.call(
                Auth.CreateKey(owner: .email("ann@example.edu"), name: name, expires: expires)
            ).summary.id
        }
        let soon = Timestamp(fixture.now.rawValue + 1000)
        let (alive, revoked, expired) = (try await key("a"), try await key("b"), try await key("c", expires: soon))
        let ann = try await auth.call(Auth.FindUsers(search: "ann", limit: 1)).users[0].person.id
        let bob = try await auth.call(Auth.CreateUser(email: "bob@example.edu", by: .admin)).person.id
        let call = Auth.FindEnded(users: [ann, bob, UserID(99)], keys: [alive, revoked, expired, KeyID(99)])
        #expect(try await auth.call(call).users == [UserID(99)])
        #expect(try await auth.call(call).keys == [KeyID(99)])
        _ = try await auth.call(Auth.RevokeKey(user: ann, key: revoked))
        _ = try await auth.call(Auth.SetUserDisabled(user: bob, isDisabled: true, by: .admin))
        fixture.pass(1000)
        let ended = try await auth.call(call)
        #expect(ended.users == [bob, UserID(99)])
        #expect(ended.keys == [revoked, expired, KeyID(99)])
        #expect(ended.revision == (try await revision()))
        #expect(try await auth.call(Auth.FindEnded(users: [], keys: [])).users == [])
        let tooMany = (0...Auth.FindEnded.most).map { KeyID(Int64($0)) }
        #expect(await auth.failure(Auth.FindEnded(users: [], keys: tooMany)) == .refused)
    }
}
