import SharedProtocol
import StorageTesting
import Testing

@testable import auth_service

@Suite(.bothEngines) struct SessionTests {
    private let fixture: AuthFixture
    private let auth: RunningAuth

    init() async throws {
        fixture = try AuthFixture()
        auth = try await fixture.start()
    }

    private func logIn() async throws -> Auth.ResumeSession {
        let opened = try await auth.call(Auth.DevLogin())
        return Auth.ResumeSession(session: fixture.hash(ofSession: opened.secret))
    }

    /// Uses the session and has that written.
    private func use(_ session: Auth.ResumeSession) async throws {
        _ = try await auth.call(session)
        await auth.calls.lastUse.flush()
    }

    @Test func devLoginOpensASessionOfTheDevUser() async throws {
        let opened = try await auth.call(Auth.DevLogin())
        #expect(opened.secret.wholeMatch(of: /[0-9A-Za-z]{43}/) != nil)
        #expect(opened.person.email == "dev@example.com")
        let resume = Auth.ResumeSession(session: fixture.hash(ofSession: opened.secret))
        #expect(try await auth.call(resume).person == opened.person)
    }

    @Test func everyLoginHasASessionOfItsOwnAndOneUser() async throws {
        let first = try await auth.call(Auth.DevLogin())
        let second = try await auth.call(Auth.DevLogin())
        #expect(first.secret != second.secret)
        #expect(first.person == second.person)
    }

    @Test func devLoginIsRefusedWithoutADevUser() async throws {
        try fixture.configure(
            """
            app:
              secret_key: 0123456789abcdef0123456789abcdef
              encryption_key: other
            oauth2:
              client_id: me
              client_secret: s
              server_metadata_url: https://idp.example/x
              redirect_uri: https://lumen.example/callback
            """)
        #expect(await auth.failure(Auth.DevLogin()) == .refused)
        #expect(try await auth.number("SELECT count(*) FROM users") == 0)
    }

    @Test func unknownSessionIsRefused() async throws {
        let unknown = Auth.ResumeSession(session: fixture.hash(ofSession: "guess"))
        #expect(await auth.failure(unknown) == .unauthenticated)
    }

    @Test func unusedSessionEndsAfterTheIdleTime() async throws {
        let session = try await logIn()
        fixture.pass(12 * AuthFixture.hour - 1)
        #expect(await auth.failure(session) == nil)
        fixture.pass(1)
        #expect(await auth.failure(session) == .unauthenticated)
    }

    @Test func useExtendsASession() async throws {
        let session = try await logIn()
        fixture.pass(11 * AuthFixture.hour)
        try await use(session)
        fixture.pass(11 * AuthFixture.hour)
        #expect(await auth.failure(session) == nil)
    }

    @Test func usedSessionEndsAfterTheAbsoluteTime() async throws {
        let session = try await logIn()
        for _ in 0..<15 {
            fixture.pass(11 * AuthFixture.hour)
            try await use(session)
        }
        fixture.pass(3 * AuthFixture.hour)
        #expect(await auth.failure(session) == .unauthenticated)
    }

    @Test func useIsWrittenAtMostOnceAMinute() async throws {
        let session = try await logIn()
        let opened = fixture.now
        fixture.pass(59_999)
        try await use(session)
        #expect(try await auth.number("SELECT seen FROM session") == opened.rawValue)
        fixture.pass(1)
        try await use(session)
        #expect(try await auth.number("SELECT seen FROM session") == fixture.now.rawValue)
    }

    @Test func shorterLifetimeHoldsForRunningSessions() async throws {
        let session = try await logIn()
        fixture.pass(2 * AuthFixture.hour)
        try fixture.configure(AuthFixture.withDevUser + "sessions:\n  idle: 1h\n")
        #expect(await auth.failure(session) == .unauthenticated)
    }

    @Test func loginSweepsSessionsThatAreOver() async throws {
        _ = try await logIn()
        fixture.pass(12 * AuthFixture.hour)
        let session = try await logIn()
        #expect(try await auth.number("SELECT count(*) FROM session") == 1)
        #expect(await auth.failure(session) == nil)
    }

    @Test func closedSessionIsOverAndTheRevisionGrows() async throws {
        let session = try await logIn()
        let other = try await logIn()
        let before = try await auth.call(session).revision
        _ = try await auth.call(Auth.CloseSession(session: session.session))
        #expect(await auth.failure(session) == .unauthenticated)
        #expect(try await auth.call(other).revision == before + 1)
        // One that is not there is no error, and takes nothing away.
        _ = try await auth.call(Auth.CloseSession(session: session.session))
        #expect(try await auth.call(other).revision == before + 1)
    }

    /// A use that is still to be written when the session ends must not bring it back.
    @Test func closedSessionStaysClosedAfterALateWrite() async throws {
        let session = try await logIn()
        fixture.pass(AuthFixture.hour)
        _ = try await auth.call(session)
        _ = try await auth.call(Auth.CloseSession(session: session.session))
        await auth.calls.lastUse.flush()
        #expect(await auth.failure(session) == .unauthenticated)
    }

    @Test func disabledUserGetsNowhere() async throws {
        let session = try await logIn()
        try await auth.disable("dev@example.com")
        #expect(await auth.failure(session) == .accountDisabled)
        #expect(await auth.failure(Auth.DevLogin()) == .accountDisabled)
        #expect(try await auth.number("SELECT count(*) FROM session") == 1)
    }
}
