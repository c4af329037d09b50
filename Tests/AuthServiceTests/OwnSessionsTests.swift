import SharedProtocol
import StorageTesting
import Testing

@testable import auth_service

/// A user's list of their sessions, and how they end them.
@Suite(.bothEngines) struct OwnSessionsTests {
    private let fixture: AuthFixture
    private let auth: RunningAuth

    init() async throws {
        fixture = try AuthFixture("sessions: {idle: 2h, absolute: 5h}\n")
        auth = try await fixture.start()
    }

    private func open(_ agent: String = "", address: String = "192.0.2.7") async throws -> Auth.OpenedSession {
        try await auth.call(Auth.DevLogin(browser: Auth.Browser(address: address, agent: agent)))
    }

    private func resume(_ session: Auth.OpenedSession) -> Auth.ResumeSession {
        Auth.ResumeSession(session: fixture.hash(ofSession: session.secret))
    }

    private func list(_ session: Auth.OpenedSession) async throws -> [Auth.SessionSummary] {
        try await auth.call(
            Auth.ListSessions(user: session.person.id, current: fixture.hash(ofSession: session.secret)))
    }

    @Test func theLatestUsedComesFirstAndTheCurrentIsMarked() async throws {
        let first = try await open("Firefox")
        fixture.pass(60_000)
        let second = try await open("Chromium")
        #expect(try await list(second).map(\.browser.agent) == ["Chromium", "Firefox"])
        fixture.pass(60_000)
        _ = try await auth.call(resume(first))
        await auth.calls.lastUse.flush()
        let sessions = try await list(first)
        #expect(sessions.map(\.browser.agent) == ["Firefox", "Chromium"])
        #expect(sessions.map(\.isCurrent) == [true, false])
        #expect(sessions[0].browser.address == "192.0.2.7")
        #expect(sessions[0].seen == fixture.now)
        #expect(sessions[0].opened.rawValue == fixture.now.rawValue - 120_000)
        #expect(try await auth.call(Auth.ListSessions(user: UserID(99), current: nil)).isEmpty)
    }

    @Test func sessionsThatAreOverAreNotListed() async throws {
        _ = try await open("old")
        fixture.pass(AuthFixture.hour * 2)
        #expect(try await list(try await open("new")).map(\.browser.agent) == ["new"])
    }

    @Test func oneSessionOrAllOthersAreEnded() async throws {
        let sessions = [try await open("a"), try await open("b"), try await open("c")]
        let user = sessions[0].person.id
        let id = try #require(try await list(sessions[0]).first { $0.browser.agent == "b" }?.id)
        // Not another user's.
        let other = try await auth.call(Auth.CreateUser(email: "bob@example.edu", by: .admin)).person.id
        _ = try await auth.call(Auth.EndSession(user: other, session: id))
        #expect(await auth.failure(resume(sessions[1])) == nil)
        _ = try await auth.call(Auth.EndSession(user: user, session: id))
        #expect(await auth.failure(resume(sessions[1])) == .unauthenticated)
        _ = try await auth.call(Auth.EndSession(user: user, session: id))
        _ = try await auth.call(
            Auth.EndOtherSessions(user: user, keeping: fixture.hash(ofSession: sessions[2].secret)))
        #expect(await auth.failure(resume(sessions[0])) == .unauthenticated)
        #expect(await auth.failure(resume(sessions[2])) == nil)
        #expect(try await list(sessions[2]).map(\.browser.agent) == ["c"])
    }

    @Test func whatABrowserSaysIsCut() async throws {
        let long = String(repeating: "ü", count: 150)
        let session = try await open(long, address: String(repeating: "1", count: 300))
        let browser = try #require(try await list(session).first?.browser)
        #expect(browser.agent == String(repeating: "ü", count: 100))
        #expect(browser.address.utf8.count == Auth.Browser.most)
    }
}
