import NIOCore
import SharedProtocol

/// Where an answer's events come from: the call through ledger and router, or a script in a test.
protocol AnswerSource: Sendable {
    /// What has arrived: raw `chat.completion.chunk` objects; [] at the end, after the bill is durable.
    func next() async -> [ByteBuffer]
    /// Ends it early; `next` then gives [] after the bill.
    func stop()
    /// How it ended, once `next` has returned [].
    var outcome: AnswerOutcome { get }
}

/// How an answer's source ended.
struct AnswerOutcome: Sendable, Hashable {
    var state: AnswerState
    /// What the reader may know of a failure.
    var problem: String?
    var bill: AnswerBill?
}

/// The answer did not begin; nothing was billed.
struct AnswerRefusal: Error, Hashable {
    /// For the reader.
    var message: String
}

/// Begins an answer to an OpenAI chat completion request, given as JSON.
typealias BeginAnswer =
    @Sendable (_ request: ByteBuffer, _ person: Auth.Person) async throws(AnswerRefusal) -> any AnswerSource
