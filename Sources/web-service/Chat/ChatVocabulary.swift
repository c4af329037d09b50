import SharedProtocol

/// What a conversation is made of, as it is kept and as the page gets it.

/// Names a conversation in addresses; not guessable.
struct ConversationID: Identifier {
    let rawValue: String
    init(rawValue: String) { self.rawValue = rawValue }

    static func random() -> ConversationID { ConversationID(RandomText.base32(16)) }
}

/// Names one answer; its follower and its Stop button use it.
struct AnswerID: Identifier {
    let rawValue: String
    init(rawValue: String) { self.rawValue = rawValue }

    static func random() -> AnswerID { AnswerID(RandomText.base32(20)) }
}

/// A conversation without its messages.
struct Conversation: Codable, Sendable, Hashable {
    var id: ConversationID
    var title: String
    /// The model of the last question; opening the conversation selects it.
    var model: ModelName
    var updated: Timestamp
    /// An answer is being written at this moment.
    var isAnswering: Bool
}

/// One message, a question or an answer.
struct Message: Codable, Sendable, Hashable {
    /// Grows within a conversation; for paging.
    var id: Int64
    var role: Role
    var text: String
    var created: Timestamp
    /// Absent for a question.
    var answer: AnswerFacts?

    enum Role: String, Codable, Sendable {
        case user, assistant
    }
}

/// What is known of an answer beside its text.
struct AnswerFacts: Codable, Sendable, Hashable {
    var id: AnswerID
    var model: ModelName
    var state: AnswerState
    var reasoning: String
    /// Why it ended early, for the reader.
    var problem: String?
    var bill: AnswerBill?
    /// Where a follower goes on; only while the answer is being written.
    var cursor: AnswerCursor?
}

/// How far an answer has come.
enum AnswerState: String, Codable, Sendable {
    case running, completed, stopped, failed
    /// The web instance that wrote it ended meanwhile.
    case interrupted
}

/// What an answer cost and how fast it was.
struct AnswerBill: Codable, Sendable, Hashable {
    var request: RequestID
    var promptTokens: TokenCount
    var completionTokens: TokenCount
    var cost: NanoDollars
    var firstTokenMs: Int64?
    var durationMs: Int64
}

/// The end of an answer, to be stored with its text.
struct AnswerEnd: Sendable, Hashable {
    var state: AnswerState
    var text: String
    var reasoning: String
    var problem: String?
    var bill: AnswerBill?
}
