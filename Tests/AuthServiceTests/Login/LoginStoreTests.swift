import Logging
import NIOPosix
import SharedProtocol
import Storage
import StorageTesting
import Testing

@testable import auth_service

@Suite(.bothEngines) struct LoginStoreTests {
    private let fixture: AuthFixture
    private let auth: RunningAuth
    private let store: LoginStore
    private let feed: RevocationFeed
    private let key = LoginKey("0123456789abcdef0123456789abcdef")

    init() async throws {
        fixture = try AuthFixture(Self.groups)
        auth = try await fixture.start()
        feed = RevocationFeed(1, timers: MultiThreadedEventLoopGroup.singleton)
        store = LoginStore(
            auth.database, feed, configuration: { [fixture] in fixture.inForce },
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private static let groups = """
        groups:
          physics:
            rules: [{field: ou, equals: physics}]
            default: {max: 5}

        """

    private func verified(
        _ subject: String, _ email: String, name: String? = nil, ou: String = "x", issuer: String = "https://a.edu"
    ) throws -> VerifiedPerson {
        let claims = PersonClaims(
            email: email, isEmailVerified: nil, name: name, groupClaims: GroupClaims(["ou": [ou]]))
        return try VerifiedPerson(Auth.Identity(issuer: issuer, subject: subject), claims, hints: [])
    }

    private func logIn(_ person: VerifiedPerson, previous: String? = nil) async throws -> Auth.OpenedSession {
        let new = NewSession(
            Auth.Browser(address: "192.0.2.1", agent: "Browser/1"),
            replacing: previous.map { fixture.hash(ofSession: $0) },
            fixture.inForce, at: fixture.now)
        return try await store.open(new, for: person, nil)
    }

    private func refusal(_ person: VerifiedPerson) async -> Auth.LoginRefusal? {
        do {
            _ = try await logIn(person)
            return nil
        } catch {
            return (error as? LoginProblem)?.refusal
        }
    }

    private func isAlive(_ session: Auth.OpenedSession) async -> Bool {
        await auth.failure(Auth.ResumeSession(session: fixture.hash(ofSession: session.secret))) == nil
    }

    private func text(_ sql: String) async throws -> String? { try await auth.database.read { try $0.value(sql) } }

    @Test func aNewPersonGetsARowAndASession() async throws {
        let opened = try await logIn(try verified("1", "Ada@X.edu", name: "Ada"))
        #expect(opened.person.email == "ada@x.edu")
        #expect(opened.person.name == "Ada")
        #expect(await isAlive(opened))
        #expect(try await text("SELECT claims FROM users") == #"{"affiliation":[],"member_of":[],"idp":[],"ou":["x"]}"#)
        #expect(try await text("SELECT address FROM session") == "192.0.2.1")
        #expect(try await auth.number("SELECT last_login FROM users") == fixture.now.rawValue)
        #expect(try await text("SELECT issuer FROM users") == "https://a.edu")
    }

    @Test func aPersonIsIssuerAndSubject() async throws {
        let first = try await logIn(try verified("1", "ada@x.edu", name: "Ada"))
        let again = try await logIn(try verified("1", "ada@x.edu"))
        #expect(again.person == first.person)
        let other = try await logIn(try verified("1", "bob@x.edu", issuer: "https://b.edu"))
        #expect(other.person.id != first.person.id)
    }

    @Test func aRowWithoutSubjectIsClaimedOnce() async throws {
        _ = try await auth.createKey("ada@x.edu")
        let claimed = try await logIn(try verified("1", "ADA@x.edu", name: "Ada"))
        #expect(try await auth.number("SELECT count(*) FROM users") == 1)
        #expect(claimed.person.name == "Ada")
        #expect(await refusal(try verified("2", "ada@x.edu")) == .emailTaken)
        #expect(await refusal(try verified("1", "ada@x.edu", issuer: "https://b.edu")) == .emailTaken)
        #expect(try await text("SELECT subject FROM users") == "1")
    }

    @Test func aChangedAddressIsFollowedUnlessItIsTaken() async throws {
        let ada = try await logIn(try verified("1", "ada@x.edu"))
        _ = try await auth.createKey("bob@x.edu")
        let renamed = try await logIn(try verified("1", "ada@y.edu"))
        #expect(renamed.person.id == ada.person.id)
        #expect(renamed.person.email == "ada@y.edu")
        #expect(try await logIn(try verified("1", "bob@x.edu")).person.email == "ada@y.edu")
        // The address that was given up is free.
        #expect(try await logIn(try verified("2", "ada@x.edu")).person.id != ada.person.id)
    }

    @Test func aDisabledAccountIsLeftAsItIs() async throws {
        _ = try await logIn(try verified("1", "ada@x.edu", ou: "old"))
        _ = try await auth.createKey("bob@x.edu")
        try await auth.disable("ada@x.edu")
        try await auth.disable("bob@x.edu")
        #expect(await refusal(try verified("1", "new@x.edu", ou: "new")) == .accountDisabled)
        #expect(await refusal(try verified("2", "bob@x.edu")) == .accountDisabled)
        #expect(try await auth.number("SELECT count(*) FROM users WHERE email = 'new@x.edu'") == 0)
        #expect(try await auth.number("SELECT count(*) FROM users WHERE subject = '2'") == 0)
    }

    @Test func theSessionBeforeEndsWithTheNewOne() async throws {
        let first = try await logIn(try verified("1", "ada@x.edu"))
        let other = try await logIn(try verified("1", "ada@x.edu"))
        let second = try await logIn(try verified("2", "bob@x.edu"), previous: first.secret)
        #expect(!(await isAlive(first)))
        #expect(await isAlive(other))
        #expect(await isAlive(second))
    }

    @Test func groupsFollowTheClaimsOfTheLastLogin() async throws {
        let inside = try await logIn(try verified("1", "ada@x.edu", ou: "physics"))
        #expect(inside.person.groups == ["default", "physics"].map { GroupName($0) })
        #expect(try await logIn(try verified("1", "ada@x.edu", ou: "astronomy")).person.groups == [.everyone])
    }

    /// What other services remember of a person rests on claims and address.
    @Test func otherClaimsOrAnotherAddressAreARevocation() async throws {
        func revision() async throws -> Int64? { try await auth.number("SELECT revision FROM revision") }
        _ = try await logIn(try verified("1", "ada@x.edu"))
        let first = try await revision()
        _ = try await logIn(try verified("1", "ada@x.edu", name: "Ada"))
        #expect(try await revision() == first)
        _ = try await logIn(try verified("1", "ada@x.edu", ou: "y"))
        #expect(try await revision() == first.map { $0 + 1 })
        _ = try await logIn(try verified("1", "ada@y.edu", ou: "y"))
        #expect(try await revision() == first.map { $0 + 2 })
    }

    @Test func whatABrowserSaysOfItselfIsCut() async throws {
        let agent = String(repeating: "é", count: 300)
        let new = NewSession(
            Auth.Browser(address: "", agent: agent), fixture.inForce, at: fixture.now)
        _ = try await store.open(new, for: try verified("1", "ada@x.edu"), nil)
        #expect(try await text("SELECT agent FROM session")?.count == 100)
    }

    @Test func anAttemptComesBackOnce() async throws {
        let attempt = LoginAttempt(next: "/", at: fixture.now, key)
        #expect(try await store.isUsed(attempt.state, key) == false)
        #expect(try await store.use(attempt, key, at: fixture.now))
        #expect(try await store.use(attempt, key, at: fixture.now) == false)
        #expect(try await store.isUsed(attempt.state, key))
        #expect(try fixture.filesContain(attempt.state) == false)
        fixture.pass(600_000)
        #expect(try await store.use(LoginAttempt(next: "/", at: fixture.now, key), key, at: fixture.now))
        #expect(try await auth.number("SELECT count(*) FROM used_login") == 1)
    }

    @Test func ofTwoThatComeBackAtOnceOneGetsIn() async throws {
        let attempt = LoginAttempt(next: "/", at: fixture.now, key)
        let results = try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<8 { group.addTask { try await store.use(attempt, key, at: fixture.now) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(results.count(where: \.self) == 1)
    }

    @Test func eightFirstLoginsAtOnceMakeOnePerson() async throws {
        let person = try verified("1", "ada@x.edu")
        let people = try await withThrowingTaskGroup(of: UserID.self) { group in
            for _ in 0..<8 { group.addTask { try await logIn(person).person.id } }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(people.count == 1)
    }
}
