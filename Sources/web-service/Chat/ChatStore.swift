import GRDB
import SharedProtocol
import Storage

/// Keeps the conversations. Every call names the owner, and what belongs to someone else is `not_found`.
/// This file: how a turn begins, grows and ends. Reading is in `ChatStore+Reading.swift`.
struct ChatStore: Sendable {
    let database: ServiceDatabase

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
        try await database.write { database in
            let (text, model) = (draft.text, draft.model)
            let conversation: ConversationID
            if let existing = draft.conversation {
                conversation = existing
                try Self.touch(existing, of: owner, model: model, at: now, in: database)
            } else {
                conversation = .random()
                try Self.insert(conversation, titledAfter: text, model: model, by: owner, at: now, in: database)
            }
            try database.execute(
                sql: "INSERT INTO messages (conversation, role, text, created) VALUES (?, 'user', ?, ?)",
                arguments: [conversation.rawValue, text, now.rawValue])
            let question = Message(
                id: database.lastInsertedRowID, role: .user, text: text, created: now, answer: nil)
            let reply = try Self.insert(answer, in: conversation, model: model, at: now, database)
            return Turn(conversation: conversation, question: question, answer: reply, model: model)
        }
    }

    /// Stores what has been written so far of an answer that is still running.
    func saveProgress(of answer: AnswerID, text: String, reasoning: String) async throws(CallError) {
        try await database.write { database in
            try database.execute(
                sql: "UPDATE messages SET text = ?, reasoning = ? WHERE answer = ? AND state = 'running'",
                arguments: [text, reasoning, answer.rawValue])
        }
    }

    /// Stores the end of an answer, once; the conversation may have been deleted meanwhile.
    func finish(_ answer: AnswerID, _ end: AnswerEnd, at now: Timestamp) async throws(CallError) {
        let bill = try end.bill.map(Self.encode)
        try await database.write { database in
            try database.execute(
                sql: """
                    UPDATE messages SET state = ?, text = ?, reasoning = ?, problem = ?, bill = ?
                    WHERE answer = ? AND state = 'running'
                    """,
                arguments: [
                    end.state.rawValue, end.text, end.reasoning, end.problem, bill, answer.rawValue,
                ])
            try database.execute(
                sql: """
                    UPDATE conversations SET updated = ?
                    WHERE id = (SELECT conversation FROM messages WHERE answer = ?)
                    """,
                arguments: [now.rawValue, answer.rawValue])
        }
    }

    /// Ends the answers that a process left behind when it died: those begun before this one was.
    func closeAbandonedAnswers(begunBefore start: Timestamp) async throws(CallError) {
        try await database.write { database in
            try database.execute(
                sql: "UPDATE messages SET state = 'interrupted' WHERE state = 'running' AND created < ?",
                arguments: [start.rawValue])
        }
    }

    func rename(_ conversation: ConversationID, to title: String, by owner: UserID) async throws(CallError) {
        let title = Self.title(from: title)
        guard !title.isEmpty else { throw CallError(.refused, "A conversation needs a title.") }
        try await database.write { database in
            try database.execute(
                sql: "UPDATE conversations SET title = ? WHERE id = ? AND owner = ? AND hidden = 0",
                arguments: [title, conversation.rawValue, owner.rawValue])
            try Self.expectOneRow(database)
        }
    }

    /// Takes a conversation off its owner's list.
    ///
    /// - Parameter keepingRows: only hide it; else its messages are deleted with it.
    func remove(
        _ conversation: ConversationID, keepingRows: Bool, by owner: UserID
    ) async throws(CallError) {
        try await database.write { database in
            let change = keepingRows ? "UPDATE conversations SET hidden = 1" : "DELETE FROM conversations"
            try database.execute(
                sql: change + " WHERE id = ? AND owner = ? AND hidden = 0",
                arguments: [conversation.rawValue, owner.rawValue])
            try Self.expectOneRow(database)
        }
    }
}

extension ChatStore {
    private static func touch(
        _ conversation: ConversationID, of owner: UserID, model: ModelName, at now: Timestamp, in database: Database
    ) throws {
        try database.execute(
            sql: "UPDATE conversations SET updated = ?, model = ? WHERE id = ? AND owner = ? AND hidden = 0",
            arguments: [now.rawValue, model.rawValue, conversation.rawValue, owner.rawValue])
        try expectOneRow(database)
        let isAnswering = try Bool.fetchOne(
            database, sql: "SELECT EXISTS (SELECT 1 FROM messages WHERE conversation = ? AND state = 'running')",
            arguments: [conversation.rawValue])
        if isAnswering == true {
            throw CallError(.refused, "The answer before is still being written.")
        }
    }

    private static func insert(
        _ conversation: ConversationID, titledAfter text: String, model: ModelName, by owner: UserID,
        at now: Timestamp, in database: Database
    ) throws {
        try database.execute(
            sql: "INSERT INTO conversations (id, owner, title, model, created, updated) VALUES (?, ?, ?, ?, ?, ?)",
            arguments: [
                conversation.rawValue, owner.rawValue, title(from: text), model.rawValue, now.rawValue, now.rawValue,
            ])
    }

    private static func insert(
        _ id: AnswerID, in conversation: ConversationID, model: ModelName, at now: Timestamp, _ database: Database
    ) throws -> Message {
        try database.execute(
            sql: """
                INSERT INTO messages (conversation, role, text, reasoning, created, answer, model, state)
                VALUES (?, 'assistant', '', '', ?, ?, ?, 'running')
                """,
            arguments: [conversation.rawValue, now.rawValue, id.rawValue, model.rawValue])
        let facts = AnswerFacts(id: id, model: model, state: .running, reasoning: "", cursor: .start)
        return Message(id: database.lastInsertedRowID, role: .assistant, text: "", created: now, answer: facts)
    }

    private static func expectOneRow(_ database: Database) throws {
        guard database.changesCount == 1 else { throw CallError(.notFound, "There is no such conversation.") }
    }

    /// The first line of what someone wrote, shortened.
    static func title(from text: String) -> String {
        let words = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        guard words.count > maximumTitleLength else { return words }
        return words.prefix(maximumTitleLength - 1) + "…"
    }
}
