import NIOConcurrencyHelpers
import NIOCore
import SharedProtocol
import Testing

@testable import web_service

/// How long what is remembered of a key is good for.
@Suite struct IdentitiesTests {
    private let auth = ScriptedAuth()
    private let uptime = NIOLockedValueBox(NIODeadline.uptimeNanoseconds(1_000_000_000_000))
    private let time = NIOLockedValueBox(Timestamp(1_800_000_000_000))
    private let identities: Identities

    init() throws {
        let configuration = try TestConfiguration.watcher()
        identities = Identities(
            auth: InProcessCaller(auth.table), configuration: configuration,
            failures: AddressLimiter { configuration.current.api.failedAuthLimit },
            uptime: { [uptime] in uptime.withLockedValue { $0 } }, clock: { [time] in time.withLockedValue { $0 } })
    }

    private func pass(_ milliseconds: Int64) {
        uptime.withLockedValue { $0 = $0 + .milliseconds(milliseconds) }
        time.withLockedValue { $0 = Timestamp($0.rawValue + milliseconds) }
    }

    /// The code with which the key is refused; nil when it is not.
    private func refusal(_ key: String = "a") async -> String? {
        do throws(APIError) {
            _ = try await identities.holder(of: key, request: .random(), from: { nil })
            return nil
        } catch {
            return error.code
        }
    }

    @Test func whileAuthIsHeardAKeyIsAskedForOnce() async {
        identities.heard(1)
        #expect(await refusal() == nil)
        for _ in 0..<10 {
            pass(500)
            identities.heard(1)
            #expect(await refusal() == nil)
        }
        #expect(auth.questions == 1)
        pass(901)
        #expect(await refusal() == nil)
        #expect(auth.questions == 2)
    }

    @Test func aNewRevisionHasEverybodyAskedForAgain() async {
        identities.heard(1)
        #expect(await refusal() == nil)
        auth.revision = 2
        identities.heard(2)
        #expect(await refusal() == nil)
        #expect(auth.questions == 2)
        auth.isRevoked = true
        auth.revision = 3
        identities.heard(3)
        #expect(await refusal() == "invalid_api_key")
    }

    /// Nobody new gets in meanwhile.
    @Test func whenAuthHasStoppedAKnownKeyGoesOnFor30Seconds() async {
        identities.heard(1)
        #expect(await refusal("known") == nil)
        auth.isAway = true
        pass(29_999)
        #expect(await refusal("known") == nil)
        #expect(await refusal("new") == "service_unavailable")
        pass(1)
        #expect(await refusal("known") == "service_unavailable")
        auth.isAway = false
        #expect(await refusal("known") == nil)
    }

    @Test func whatGetsTooOldWhileAuthIsWaitedForIsNotUsed() async {
        identities.heard(1)
        #expect(await refusal("known") == nil)
        auth.isAway = true
        auth.whenAsked = { [uptime] in uptime.withLockedValue { $0 = $0 + .seconds(2) } }
        pass(27_999)
        #expect(await refusal("known") == nil)
        #expect(await refusal("known") == "service_unavailable")
    }

    /// What was taken away was heard of before auth stopped.
    @Test func whenAuthHasStoppedNothingOlderThanItsLastWordIsUsed() async {
        identities.heard(1)
        #expect(await refusal("known") == nil)
        identities.heard(2)
        auth.isAway = true
        #expect(await refusal("known") == "service_unavailable")
    }

    @Test func aRememberedKeyExpires() async {
        auth.expires = Timestamp(time.withLockedValue { $0.rawValue } + 500)
        identities.heard(1)
        #expect(await refusal() == nil)
        pass(499)
        #expect(await refusal() == nil)
        auth.isAway = true
        pass(1)
        #expect(await refusal() == "invalid_api_key")
        pass(1000)
        #expect(await refusal() == "invalid_api_key")
        #expect(auth.questions == 2)
    }

    /// An answer that a revocation overtook counts for nothing; a rush of them ends in an error, not in a loop.
    @Test func answersThatAreOvertakenAreAskedForAgain() async {
        auth.whenAsked = { [auth, identities] in
            if auth.questions < 3 { identities.heard(auth.revision + 1) } else { auth.revision += 1 }
        }
        #expect(await refusal() == nil)
        #expect(auth.questions == 3)
        auth.whenAsked = { [auth, identities] in identities.heard(auth.revision + Int64(auth.questions)) }
        #expect(await refusal("b") == "service_unavailable")
        #expect(auth.questions == 3 + Identities.mostQuestions)
    }
}

/// Auth, as a test wants it to answer.
final class ScriptedAuth: Sendable {
    private struct State {
        var questions = 0
        var revision: Int64 = 1
        var isAway = false
        var isRevoked = false
        var expires: Timestamp?
        var whenAsked: (@Sendable () -> Void)?
    }

    private let state = NIOLockedValueBox(State())

    var questions: Int { state.withLockedValue(\.questions) }
    var revision: Int64 {
        get { state.withLockedValue(\.revision) }
        set { state.withLockedValue { $0.revision = newValue } }
    }
    var isAway: Bool {
        get { state.withLockedValue(\.isAway) }
        set { state.withLockedValue { $0.isAway = newValue } }
    }
    var isRevoked: Bool {
        get { state.withLockedValue(\.isRevoked) }
        set { state.withLockedValue { $0.isRevoked = newValue } }
    }
    var expires: Timestamp? {
        get { state.withLockedValue(\.expires) }
        set { state.withLockedValue { $0.expires = newValue } }
    }
    /// Before an answer is made.
    var whenAsked: (@Sendable () -> Void)? {
        get { state.withLockedValue(\.whenAsked) }
        set { state.withLockedValue { $0.whenAsked = newValue } }
    }

    var table: CallTable {
        var table = CallTable()
        table.on(Auth.Authenticate.self) { [self] _, _ throws(CallError) in
            state.withLockedValue { $0.questions += 1 }
            whenAsked?()
            let state = state.withLockedValue { $0 }
            if state.isAway { throw CallError(.unavailable, "away") }
            if state.isRevoked { throw CallError(.unauthenticated, "no") }
            return Auth.KeyHolder(person: .ada, key: KeyID(1), expires: state.expires, revision: state.revision)
        }
        table.on(Instance.Status.self) { [self] _, _ throws(CallError) in
            if isAway { throw CallError(.unavailable, "away") }
            return Instance.Report(
                service: .auth, instance: .random(), pid: 1, version: "", started: Timestamp(0), problems: [])
        }
        return table
    }
}
