import NIOConcurrencyHelpers
import NIOCore
import SharedProtocol
import Testing

@testable import web_service

/// While auth does not answer, only one asks it.
@Suite(.timeLimit(.minutes(1))) struct CircuitBreakerTests {
    private let auth = ScriptedAuth()
    private let breaker: CircuitBreaker

    init() {
        breaker = CircuitBreaker(InProcessCaller(auth.table), name: .auth)
    }

    private func failure() async -> CallError.Code? {
        do throws(CallError) {
            let key = CredentialHash(of: "a", under: "b")
            _ = try await breaker.call(Auth.Authenticate(key: key), request: nil, timeout: .seconds(2))
            return nil
        } catch {
            return error.code
        }
    }

    @Test func whoComesNextIsToldWithoutAskingUntilAProbeIsAnswered() async throws {
        #expect(await failure() == nil)
        auth.isAway = true
        for _ in 0..<10 { #expect(await failure() == .unavailable) }
        #expect(auth.questions == 2)
        auth.isAway = false
        #expect(await failure() == .unavailable, "nothing was probed yet")
        try await withThrowingTaskGroup { group in
            group.addTask { try await breaker.run() }
            while await failure() != nil { try await Task.sleep(for: .milliseconds(1)) }
            // And is found silent again.
            auth.isAway = true
            let asked = auth.questions
            for _ in 0..<10 { #expect(await failure() == .unavailable) }
            #expect(auth.questions == asked + 1)
            auth.isAway = false
            while await failure() != nil { try await Task.sleep(for: .milliseconds(1)) }
            group.cancelAll()
        }
    }

    @Test func aRefusalIsAnAnswer() async {
        auth.isRevoked = true
        for _ in 0..<3 { #expect(await failure() == .unauthenticated) }
        #expect(auth.questions == 3)
    }

    /// Auth works, and this one call of it does not.
    @Test func aCallThatFailsBesideOthersThatAreAnsweredKeepsNobodyOut() async {
        auth.isAway = true
        auth.whenAsked = { [breaker] in breaker.answered() }
        #expect(await failure() == .unavailable)
        auth.isAway = false
        #expect(await failure() == nil)
    }

    /// What is remembered of a key goes on at once; nobody new gets in.
    @Test func whileAuthIsAwayAKnownKeyWaitsForNobody() async throws {
        let configuration = try TestConfiguration.watcher()
        let uptime = NIOLockedValueBox(NIODeadline.now())
        let identities = Identities(
            auth: breaker, configuration: configuration, failures: AddressLimiter { [] },
            uptime: { uptime.withLockedValue { $0 } })
        func isAdmitted(_ key: String) async -> Bool {
            (try? await identities.holder(of: key, request: .random(), from: { nil })) != nil
        }
        identities.heard(1)
        #expect(await isAdmitted("known"))
        auth.isAway = true
        uptime.withLockedValue { $0 = $0 + .milliseconds(29_000) }
        for _ in 0..<10 { #expect(await isAdmitted("known")) }
        for _ in 0..<10 { #expect(await !isAdmitted("new")) }
        #expect(auth.questions == 2)
        // Revoked before auth fell silent.
        identities.heard(2)
        #expect(await !isAdmitted("known"))
    }
}
