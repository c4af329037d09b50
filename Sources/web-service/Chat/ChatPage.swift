import HTTPTypes
import Hummingbird
import SharedProtocol

/// `/chat` and the JSON below `/chat/api` that its script uses, but for asking and following, which are in
/// `ChatAnswers.swift`.
extension Site {
    /// The page itself; the conversation's content is fetched by the script.
    func chat(_ visit: Visit) async throws -> Response {
        var title = "Chat"
        if let id = visit.conversation {
            title = try await desk.store.conversation(id, of: visit.person.id).title
        }
        return page("chat", title: title, ChatPage(conversation: visit.conversation?.rawValue), for: visit)
    }

    /// What the reader may use, and what is left.
    func account(_ visit: Visit) async throws -> Response {
        async let sheet = balances(for: visit)
        async let health = endpoints()
        return try json(AccountView(sheet: await sheet, health: await health))
    }

    func conversations(_ visit: Visit) async throws -> Response {
        let page = try await desk.store.conversations(
            of: visit.person.id, before: visit.query("before").flatMap(ChatStore.ListCursor.init),
            search: visit.query("search") ?? "")
        let isFull = page.count == ChatStore.conversationsPerPage
        let next = isFull ? page.last.map { ChatStore.ListCursor($0).description } : nil
        return try json(ConversationList(conversations: page, next: next))
    }

    /// A conversation with a page of its messages.
    func conversation(_ visit: Visit) async throws -> Response {
        let id = try visit.requireConversation()
        let conversation = try await desk.store.conversation(id, of: visit.person.id)
        let before = visit.query("before").flatMap { Int64($0) }
        // One more than a page tells whether there are earlier ones.
        let messages = try await desk.store.messages(
            in: id, of: visit.person.id, before: before, limit: ChatStore.messagesPerPage + 1)
        let shown = messages.suffix(ChatStore.messagesPerPage).map { current($0, for: visit.person) }
        return try json(
            ConversationView(
                conversation: conversation, messages: shown, hasEarlier: messages.count > shown.count))
    }

    func rename(_ visit: Visit) async throws -> Response {
        let change = try await visit.json(TitleChange.self)
        let id = try visit.requireConversation()
        try await desk.store.rename(id, to: change.title, by: visit.person.id)
        return try json(try await desk.store.conversation(id, of: visit.person.id))
    }

    /// Removes the conversation, and stops what is being written there: nobody would read it.
    func remove(_ visit: Visit) async throws -> Response {
        let id = try visit.requireConversation()
        let last = try await desk.store.messages(in: id, of: visit.person.id, before: nil, limit: 1).last
        try await desk.store.remove(
            id, keepingRows: configuration().chat.removal == .hide, by: visit.person.id)
        if let answer = last?.answer { desk.live(answer.id, of: visit.person.id)?.stop() }
        return try json(Done())
    }

    /// A message as it is at this moment: an answer in the making has more text than its row.
    private func current(_ message: Message, for person: Auth.Person) -> Message {
        guard var facts = message.answer, facts.state == .running else { return message }
        var message = message
        if let live = desk.live(facts.id, of: person.id) {
            (message.text, facts.reasoning) = live.content
        }
        facts.cursor = AnswerCursor(text: message.text.utf8.count, reasoning: facts.reasoning.utf8.count)
        message.answer = facts
        return message
    }
}

extension Visit {
    var conversation: ConversationID? { parameters.get("conversation").map { ConversationID($0) } }

    func requireConversation() throws(PageProblem) -> ConversationID {
        guard let conversation else { throw .notFound }
        return conversation
    }
}

extension ChatStore.ListCursor: CustomStringConvertible {
    init(_ conversation: Conversation) {
        self.init(updated: conversation.updated, id: conversation.id)
    }

    /// `1700000000000_id`
    init?(_ text: String) {
        let parts = text.split(separator: "_")
        guard parts.count == 2, let updated = Int64(parts[0]) else { return nil }
        self.init(updated: Timestamp(updated), id: ConversationID(String(parts[1])))
    }

    var description: String { "\(updated)_\(id)" }
}

private struct ChatPage: Sendable {
    var conversation: String?
}

private struct TitleChange: Decodable {
    var title: String
}

private struct ConversationList: Encodable {
    var conversations: [Conversation]
    /// Where the next page begins.
    var next: String?
}

private struct ConversationView: Encodable {
    var conversation: Conversation
    var messages: [Message]
    var hasEarlier: Bool
}

/// The models and pools of the reader, as the chat shows them.
struct AccountView: Encodable {
    /// False: the ledger does not answer.
    var isAvailable: Bool
    var models: [Model]
    var pools: [PoolRow]

    struct Model: Encodable, Hashable {
        var name: ModelName
        /// The name of the pool that it draws from.
        var pool: String
        var isHealthy: Bool
    }

    init(sheet: Ledger.BalanceSheet?, health: [EndpointHealth]) {
        isAvailable = sheet != nil
        models = (sheet?.models ?? []).map {
            Model(name: $0.model, pool: $0.pool, isHealthy: ModelHealth(of: $0.model, in: health).isUsable)
        }
        // A model names a pool of the reader's own; a group's shared pool may be called the same.
        pools = (sheet?.pools ?? []).filter { $0.holder == .user }.map(PoolRow.init)
    }
}
