import SharedProtocol
import Storage

/// Keeps the conversations. Every call names the owner, and what belongs to someone else is `not_found`.
/// This file: how a turn begins, grows and ends. Reading is in `ChatStore+Reading.swift`.
struct ChatStore: Sendable {
    let database: ServiceDatabase
    /// The web that writes the answers begun here.
    let writer: InstanceID

    /// Longest title that is stored, in characters.
    static let maximumTitleLength = 80

    /// A question and the answer that is about to be written.
    struct Turn: Encodable, Sendable, Hashable {
        var conversation: ConversationID
        var question: Message
        var answer: Message
        var model: ModelName
    }

    /// Stores a question and its still empty answer, in a new conversation if none is named. `refused`: an answer is still
    /// being written there.
    func beginTurn(
        _ draft: AnswerDesk.Question, answer: AnswerID, by owner: UserID, at now: Timestamp
    ) async throws(CallError) -> Turn {
        try await database.write { [writer] connection in
            let (text, model) = (draft.text, draft.model)
            let conversation: ConversationID
            if let existing = draft.conversation {
                conversation = existing
                try Self.touch(existing, of: owner, model: model, at: now, in: connection)
            } else {
                conversation = .random()
                try Self.insert(conversation, titledAfter: text, model: model, by: owner, at: now, in: connection)
            }
            let id = try connection.insert(
                "INSERT INTO messages (conversation, role, text, created) VALUES (?, 'user', ?, ?) RETURNING id",
                [conversation.rawValue, text, now.rawValue])
            let question = Message(id: id, role: .user, text: text, created: now, answer: nil)
            let reply = try Self.insert(
                answer, in: conversation, model: model, writtenBy: writer, at: now, connection)
            return Turn(conversation: conversation, question: question, answer: reply, model: model)
        }
    }

    /// Stores what has been written so far of an answer that is still running.
    func saveProgress(of answer: AnswerID, text: String, reasoning: String) async throws(CallError) {
        try await database.write { connection in
            try connection.execute(
                "UPDATE messages SET text = ?, reasoning = ? WHERE answer = ? AND state = 'running'",
                [text, reasoning, answer.rawValue])
        }
    }

    /// Stores the end of an answer, once; the conversation may have been deleted meanwhile.
    func finish(_ answer: AnswerID, _ end: AnswerEnd, at now: Timestamp) async throws(CallError) {
        let bill = try end.bill.map(Self.encode)
        try await database.write { connection in
            try connection.execute(
                """
                UPDATE messages SET state = ?, text = ?, reasoning = ?, problem = ?, bill = ?
                WHERE answer = ? AND state = 'running'
                """,
                [end.state.rawValue, end.text, end.reasoning, end.problem, bill, answer.rawValue])
            try connection.execute(
                """
                UPDATE conversations SET updated = ?
                WHERE id = (SELECT conversation FROM messages WHERE answer = ?)
                """,
                [now.rawValue, answer.rawValue])
        }
    }

    func rename(_ conversation: ConversationID, to title: String, by owner: UserID) async throws(CallError) {
        let title = Self.title(from: title)
        guard !title.isEmpty else { throw CallError(.refused, "A conversation needs a title.") }
        try await database.write { connection in
            let count = try connection.execute(
                "UPDATE conversations SET title = ? WHERE id = ? AND owner = ? AND hidden = 0",
                [title, conversation.rawValue, owner.rawValue])
            guard count == 1 else { throw Self.noConversation }
        }
    }

    /// Takes a conversation off its owner's list.
    ///
    /// - Parameter keepingRows: only hide it; else its messages are deleted with it.
    func remove(
        _ conversation: ConversationID, keepingRows: Bool, by owner: UserID
    ) async throws(CallError) {
        try await database.write { connection in
            let change = keepingRows ? "UPDATE conversations SET hidden = 1" : "DELETE FROM conversations"
            let count = try connection.execute(
                change + " WHERE id = ? AND owner = ? AND hidden = 0",
                [conversation.rawValue, owner.rawValue])
            guard count == 1 else { throw Self.noConversation }
        }
    }
}

extension ChatStore {
    private static func touch(
        _ conversation: ConversationID, of owner: UserID, model: ModelName, at now: Timestamp,
        in connection: any SQLConnection
    ) throws {
        let count = try connection.execute(
            "UPDATE conversations SET updated = ?, model = ? WHERE id = ? AND owner = ? AND hidden = 0",
            [now.rawValue, model.rawValue, conversation.rawValue, owner.rawValue])
        guard count == 1 else { throw noConversation }
        let running = try connection.row(
            "SELECT 1 FROM messages WHERE conversation = ? AND state = 'running'", [conversation.rawValue])
        if running != nil {
            throw CallError(.refused, "The answer before is still being written.")
        }
    }

    private static func insert(
        _ conversation: ConversationID, titledAfter text: String, model: ModelName, by owner: UserID,
        at now: Timestamp, in connection: any SQLConnection
    ) throws {
        try connection.execute(
            "INSERT INTO conversations (id, owner, title, model, created, updated) VALUES (?, ?, ?, ?, ?, ?)",
            [
                conversation.rawValue, owner.rawValue, title(from: text), model.rawValue, now.rawValue, now.rawValue,
            ])
    }

    private static func insert(
        _ id: AnswerID, in conversation: ConversationID, model: ModelName, writtenBy writer: InstanceID,
        at now: Timestamp, _ connection: any SQLConnection
    ) throws -> Message {
        let row = try connection.insert(
            """
            INSERT INTO messages (conversation, role, text, reasoning, created, answer, model, state, writer)
            VALUES (?, 'assistant', '', '', ?, ?, ?, 'running', ?) RETURNING id
            """,
            [conversation.rawValue, now.rawValue, id.rawValue, model.rawValue, writer.rawValue])
        let facts = AnswerFacts(id: id, model: model, state: .running, reasoning: "", cursor: .start)
        return Message(id: row, role: .assistant, text: "", created: now, answer: facts)
    }

    static let noConversation = CallError(.notFound, "There is no such conversation.")

    /// The first line of what someone wrote, shortened.
    static func title(from text: String) -> String {
        let words = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        guard words.count > maximumTitleLength else { return words }
        return words.prefix(maximumTitleLength - 1) + "…"
    }
}
