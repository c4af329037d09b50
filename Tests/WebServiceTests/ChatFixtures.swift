import Logging
import NIOConcurrencyHelpers
import NIOCore
import SharedProtocol
import Storage
import StorageTesting
import Testing

@testable import web_service

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A conversation store in a database of its own, gone with the value.
final class TemporaryStore: Sendable {
    let store: ChatStore
    private let database: TestDatabase

    init() throws {
        database = try TestDatabase()
        store = ChatStore(database: try database.open(.web, webMigrations), writer: InstanceID("here"))
    }

    /// A question with its finished answer.
    @discardableResult
    func turn(
        _ text: String, answered reply: String = "Yes.", in conversation: ConversationID? = nil,
        by owner: UserID = .ada, at time: Int64 = 1_000
    ) async throws -> ChatStore.Turn {
        let turn = try await begin(text, in: conversation, by: owner, at: time)
        let end = AnswerEnd(state: .completed, text: reply, reasoning: "")
        try await store.finish(turn.answerID, end, at: Timestamp(time + 1))
        return turn
    }

    func begin(
        _ text: String, in conversation: ConversationID? = nil, by owner: UserID = .ada, at time: Int64 = 1_000
    ) async throws -> ChatStore.Turn {
        let question = AnswerDesk.Question(conversation: conversation, text: text, model: "dummy")
        return try await store.beginTurn(question, answer: .random(), by: owner, at: Timestamp(time))
    }
}

extension ChatStore.Turn {
    var answerID: AnswerID { answer.answer?.id ?? AnswerID("none") }
}

extension UserID {
    static let ada = UserID(1)
    static let bob = UserID(2)
}

extension ModelName: ExpressibleByStringLiteral {
    public init(stringLiteral value: String) { self.init(rawValue: value) }
}

extension Auth.Person {
    static let ada = Auth.Person(
        id: .ada, email: "ada@example.edu", name: "Ada <b>Lovelace</b>", groups: [.everyone],
        created: Timestamp(1_000))
}

/// An answer's source that a test feeds by hand.
final class ScriptedSource: AnswerSource {
    private let state = NIOLockedValueBox(State())
    private struct State {
        var events: [ByteBuffer] = []
        var isDone = false
        var isStopped = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    var isStopped: Bool { state.withLockedValue(\.isStopped) }

    var outcome: AnswerOutcome {
        let bill = AnswerBill(
            request: RequestID("req_test"), promptTokens: 3, completionTokens: 5, cost: 7, firstTokenMs: 20,
            durationMs: 100)
        return AnswerOutcome(state: isStopped ? .stopped : .completed, bill: bill)
    }

    func say(_ text: String) {
        change { $0.events.append(ByteBuffer(string: #"{"choices":[{"delta":{"content":"\#(text)"}}]}"#)) }
    }

    func end() { change { $0.isDone = true } }

    func stop() {
        change {
            $0.isStopped = true
            $0.isDone = true
        }
    }

    func next() async -> [ByteBuffer] {
        while true {
            let (events, isDone) = state.withLockedValue { state in
                defer { state.events = [] }
                return (state.events, state.isDone)
            }
            if !events.isEmpty || isDone { return events }
            await withCheckedContinuation { continuation in
                let isReady = state.withLockedValue { state in
                    let isReady = !state.events.isEmpty || state.isDone
                    if !isReady { state.waiter = continuation }
                    return isReady
                }
                if isReady { continuation.resume() }
            }
        }
    }

    private func change(_ change: (inout State) -> Void) {
        let waiter = state.withLockedValue { state in
            change(&state)
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }
}
