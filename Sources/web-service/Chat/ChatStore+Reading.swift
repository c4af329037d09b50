import SharedProtocol
import Storage

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension ChatStore {
    /// Conversations on one page of the list.
    static let conversationsPerPage = 50
    /// Messages on one page of a conversation.
    static let messagesPerPage = 60
    /// Words of a search that count.
    static let maximumSearchWords = 8

    /// The next page begins after this conversation.
    struct ListCursor: Sendable, Hashable {
        var updated: Timestamp
        var id: ConversationID
    }

    /// The owner's conversations, the one used last first.
    ///
    /// - Parameter search: words that all occur, as beginnings of words, in one message or in the title; empty for all.
    func conversations(
        of owner: UserID, before: ListCursor?, search: String
    ) async throws(CallError) -> [Conversation] {
        try await database.read { connection in
            var conditions = "owner = ? AND hidden = 0"
            var values: [any SQLConvertible] = [owner.rawValue]
            if let before {
                conditions += " AND (updated, id) < (?, ?)"
                values += [before.updated.rawValue, before.id.rawValue] as [any SQLConvertible]
            }
            let words = Self.words(of: search)
            if !words.isEmpty {
                conditions += " AND " + ChatSchema.searchCondition(connection.engine)
                values += [Self.likePattern(search), ChatSchema.searchPattern(words, connection.engine)]
            }
            values.append(Self.conversationsPerPage)
            return try connection.rows(
                "\(Self.conversationQuery) \(conditions) ORDER BY updated DESC, id DESC LIMIT ?", values
            ).map(Self.conversation)
        }
    }

    func conversation(_ id: ConversationID, of owner: UserID) async throws(CallError) -> Conversation {
        try await database.read { connection in
            let row = try connection.row(
                "\(Self.conversationQuery) id = ? AND owner = ? AND hidden = 0", [id.rawValue, owner.rawValue])
            guard let row else { throw Self.noConversation }
            return Self.conversation(row)
        }
    }

    /// A page of messages, oldest first: the last ones, or those before a message.
    func messages(
        in conversation: ConversationID, of owner: UserID, before: Int64?, limit: Int = messagesPerPage
    ) async throws(CallError) -> [Message] {
        try await database.read { connection in
            let rows = try connection.rows(
                "\(Self.messageQuery) conversation = ? AND owner = ? AND hidden = 0 AND messages.id < ?"
                    + " ORDER BY messages.id DESC LIMIT ?",
                [conversation.rawValue, owner.rawValue, before ?? Int64.max, limit])
            return try rows.reversed().map(Self.message)
        }
    }

    /// One answer. `not_found`: no such answer of theirs.
    func answer(_ id: AnswerID, of owner: UserID) async throws(CallError) -> Message {
        try await database.read { connection in
            let row = try connection.row(
                "\(Self.messageQuery) answer = ? AND owner = ? AND hidden = 0", [id.rawValue, owner.rawValue])
            guard let row else { throw CallError(.notFound, "There is no such answer.") }
            return try Self.message(row)
        }
    }

    static func encode(_ bill: AnswerBill) throws(CallError) -> String {
        do {
            return String(decoding: try JSONEncoder().encode(bill), as: UTF8.self)
        } catch {
            throw CallError(.internalError, "An answer's bill could not be encoded.")
        }
    }
}

extension ChatStore {
    /// To be followed by the conditions.
    private static let conversationQuery = """
        SELECT id, title, model, updated, EXISTS (
            SELECT 1 FROM messages WHERE conversation = conversations.id AND state = 'running'
        ) AS answering
        FROM conversations WHERE
        """

    /// To be followed by the conditions.
    private static let messageQuery = """
        SELECT messages.id, messages.text, messages.created, answer, messages.model, state, reasoning, problem, bill
        FROM messages JOIN conversations ON conversations.id = messages.conversation WHERE
        """

    private static func conversation(_ row: SQLRow) -> Conversation {
        Conversation(
            id: ConversationID(row["id"]), title: row["title"], model: ModelName(row["model"]),
            updated: Timestamp(row["updated"]), isAnswering: row["answering"])
    }

    private static func message(_ row: SQLRow) throws -> Message {
        var facts: AnswerFacts?
        if let id = row["answer"] as String? {
            let bill = try (row["bill"] as String?).map {
                try JSONDecoder().decode(AnswerBill.self, from: Data($0.utf8))
            }
            facts = AnswerFacts(
                id: AnswerID(id), model: ModelName(row["model"]),
                state: AnswerState(rawValue: row["state"]) ?? .interrupted, reasoning: row["reasoning"] ?? "",
                problem: row["problem"], bill: bill)
        }
        return Message(
            id: row["id"], role: facts == nil ? .user : .assistant, text: row["text"],
            created: Timestamp(row["created"]), answer: facts)
    }

    private static func words(of search: String) -> ArraySlice<Substring> {
        search.split(whereSeparator: { !$0.isLetter && !$0.isNumber }).prefix(maximumSearchWords)
    }

    private static func likePattern(_ search: String) -> String {
        let special: Set<Character> = ["%", "_", "\\"]
        return "%" + search.flatMap { special.contains($0) ? ["\\", $0] : [$0] } + "%"
    }
}
