import Foundation
import NIOConcurrencyHelpers
import NIOCore
import SharedProtocol
import Testing

@testable import web_service

/// Answers about keys, revocations, and what web hears of them, in any order: no request is admitted by an answer that is
/// older than the last revision that web had heard of.
@Suite(.timeLimit(.minutes(2))) struct RevocationRaceTests {
    @Test(arguments: 0..<4) func noAnswerIsOlderThanWhatWasHeard(_ number: Int) async throws {
        let seed = ProcessInfo.processInfo.environment["TEST_SEED"].flatMap { UInt64($0) } ?? .random(in: 0 ... .max)
        var race = try RevocationRace(seed: seed &+ UInt64(number))
        for _ in 0..<1500 { await race.step() }
        await race.end()
        #expect(race.wrong == [], "TEST_SEED=\(seed)")
        // The race was one: all of it has happened, and often.
        #expect(race.admitted > 100)
        #expect(race.refused > 50)
        #expect(race.askedAgain > 10)
    }
}

/// Auth's state, the questions that wait for its answers, and the requests that wait for these: each step is one event of
/// the many that may come next, and what it leads to is waited for.
private struct RevocationRace {
    private let auth = HeldAuth()
    private let identities: Identities
    private var random: SplitMix
    private let ends = NIOLockedValueBox<[RequestID: End]>([:])
    private var running: [RequestID: (secret: String, task: Task<Void, Never>)] = [:]
    /// The latest revision that web has heard of.
    private var heard: Int64 = 0

    private(set) var wrong: [String] = []
    private(set) var admitted = 0
    private(set) var refused = 0
    private(set) var askedAgain = 0

    private enum End { case admitted(Auth.KeyHolder), refused(String?) }

    private static let secrets = ["a", "b", "c"]

    init(seed: UInt64) throws {
        random = SplitMix(state: seed)
        let configuration = try TestConfiguration.watcher()
        // Time stands still: auth is never silent, and nothing is forgotten for its age.
        let now = NIODeadline.now()
        identities = Identities(
            auth: InProcessCaller(auth.table), configuration: configuration,
            failures: AddressLimiter { [RateLimit(count: 1_000_000, windowSeconds: 60)] }, uptime: { now })
        let key = configuration.current.app.encryptionKey.reveal()
        auth.names = Dictionary(
            uniqueKeysWithValues: Self.secrets.map { (CredentialHash(of: $0, under: key), $0) })
        hear()
    }

    mutating func step() async {
        switch Int.random(in: 0..<10, using: &random) {
        case 0...2: if running.count < 8 { await begin() }
        case 3...4: auth.look(Int.random(in: 0..<8, using: &random))
        case 5...7: await answer(Int.random(in: 0..<8, using: &random))
        case 8: auth.change(Self.secrets.randomElement(using: &random) ?? "a")
        default: hear()
        }
    }

    /// Web hears of auth's revision, which may be several changes at once.
    private mutating func hear() {
        heard = auth.revision
        identities.heard(heard)
    }

    private mutating func begin() async {
        let (id, secret) = (RequestID.random(), Self.secrets.randomElement(using: &random) ?? "a")
        let task = Task { [identities, ends] in
            let end: End
            do throws(APIError) {
                end = .admitted(try await identities.holder(of: secret, request: id, from: { nil }))
            } catch {
                end = .refused(error.code)
            }
            ends.withLockedValue { $0[id] = end }
        }
        running[id] = (secret, task)
        await settle(id)
    }

    /// Auth's answer to a question arrives, if it has been made.
    private mutating func answer(_ index: Int) async {
        guard let id = auth.answer(index) else { return }
        if await settle(id) { askedAgain += 1 }
    }

    /// Waits until the request has ended, or waits for auth.
    ///
    /// - Returns: whether it waits.
    @discardableResult
    private mutating func settle(_ id: RequestID) async -> Bool {
        while true {
            if let end = ends.withLockedValue({ $0.removeValue(forKey: id) }) {
                judge(end, of: id)
                return false
            }
            if auth.isAsked(for: id) { return true }
            await Task.yield()
        }
    }

    private mutating func judge(_ end: End, of id: RequestID) {
        let secret = running.removeValue(forKey: id)?.secret ?? "?"
        switch end {
        case .admitted(let holder):
            admitted += 1
            if holder.revision < heard { wrong.append("\(secret) of \(holder.revision), heard \(heard)") }
            if !auth.wasValid(secret, at: holder.revision) { wrong.append("\(secret) was revoked") }
        case .refused("invalid_api_key"): refused += 1
        case .refused("service_unavailable"): break
        case .refused(let code): wrong.append("\(secret): \(code ?? "?")")
        }
    }

    mutating func end() async {
        while !running.isEmpty {
            auth.look(0)
            await answer(0)
        }
    }
}

/// Auth, which looks at its state when the test says so, and whose answers arrive when it says so.
private final class HeldAuth: Sendable {
    private struct Question {
        var request: RequestID
        var secret: String
        var answer: Result<Int64, CallError>?
        var continuation: CheckedContinuation<Result<Int64, CallError>, Never>
    }

    private struct State {
        var names: [CredentialHash: String] = [:]
        /// The keys that are revoked, at each revision.
        var revoked: [Set<String>] = [[], []]
        var questions: [Question] = []
    }

    private let state = NIOLockedValueBox(State())

    var names: [CredentialHash: String] {
        get { state.withLockedValue(\.names) }
        set { state.withLockedValue { $0.names = newValue } }
    }

    var revision: Int64 { Int64(state.withLockedValue(\.revoked).count - 1) }

    func wasValid(_ secret: String, at revision: Int64) -> Bool {
        state.withLockedValue { !$0.revoked[Int(revision)].contains(secret) }
    }

    /// Revokes the key, or gives it back.
    func change(_ secret: String) {
        state.withLockedValue { state in
            state.revoked.append(state.revoked[state.revoked.count - 1].symmetricDifference([secret]))
        }
    }

    func isAsked(for request: RequestID) -> Bool {
        state.withLockedValue { $0.questions.contains { $0.request == request } }
    }

    /// Makes the answer to a question, if there is one.
    func look(_ index: Int) {
        state.withLockedValue { state in
            guard state.questions.indices.contains(index), state.questions[index].answer == nil else { return }
            let isRevoked = state.revoked.last?.contains(state.questions[index].secret) ?? true
            state.questions[index].answer =
                isRevoked
                ? .failure(CallError(.unauthenticated, "revoked")) : .success(Int64(state.revoked.count - 1))
        }
    }

    /// Sends an answer that was made, if there is one.
    ///
    /// - Returns: whose.
    func answer(_ index: Int) -> RequestID? {
        let question = state.withLockedValue { state -> Question? in
            guard state.questions.indices.contains(index), state.questions[index].answer != nil else { return nil }
            return state.questions.remove(at: index)
        }
        guard let question, let answer = question.answer else { return nil }
        question.continuation.resume(returning: answer)
        return question.request
    }

    var table: CallTable {
        var table = CallTable()
        table.on(Auth.Authenticate.self) { [self] call, context async throws(CallError) in
            guard let request = context.request, let secret = names[call.key] else {
                throw CallError(.invalidParams, "no question of this test")
            }
            let answer = await withCheckedContinuation { continuation in
                state.withLockedValue {
                    $0.questions.append(Question(request: request, secret: secret, continuation: continuation))
                }
            }
            return Auth.KeyHolder(person: .ada, key: KeyID(1), revision: try answer.get())
        }
        return table
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
