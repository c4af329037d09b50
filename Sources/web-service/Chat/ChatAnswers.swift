import HTTPTypes
import Hummingbird
import SharedProtocol

extension Site {
    /// Longest message, in UTF-8 bytes.
    static let maximumMessageBytes = 512 * 1_024

    /// Stores a question, in the conversation named by the path or a new one, and begins its answer.
    func ask(_ visit: Visit) async throws -> Response {
        let draft = try await visit.json(Draft.self)
        guard draft.text.contains(where: { !$0.isWhitespace }) else {
            throw PageProblem(.badRequest, "Nothing to send", "The message is empty.")
        }
        guard draft.text.utf8.count <= Self.maximumMessageBytes else {
            throw PageProblem(.contentTooLarge, "Too long", "The message is longer than 512 KB.")
        }
        guard configuration().model(draft.model)?.isActive == true else {
            throw PageProblem(.badRequest, "No such model", "The model is not offered any more. Choose another.")
        }
        let question = AnswerDesk.Question(conversation: visit.conversation, text: draft.text, model: draft.model)
        let turn = try await desk.ask(question, by: visit.person)
        return try json(turn, status: .created)
    }

    /// Follows an answer; `Last-Event-ID` (a browser that reconnects) or `after` says what the reader has.
    func follow(_ visit: Visit) async throws -> Response {
        let id = try visit.requireAnswer()
        _ = try await desk.store.answer(id, of: visit.person.id)
        let position = visit.request.headers[.lastEventID] ?? visit.query("after") ?? ""
        let follower = AnswerFollower(id: id, owner: visit.person.id, desk: desk)
        return Response(
            status: .ok,
            headers: [.contentType: "text/event-stream", .cacheControl: "no-store", .accelBuffering: "no"],
            body: follower.body(after: AnswerCursor(position) ?? .start))
    }

    /// Ends an answer early. One that has ended already is no error.
    func stop(_ visit: Visit) async throws -> Response {
        let id = try visit.requireAnswer()
        _ = try await desk.store.answer(id, of: visit.person.id)
        desk.live(id, of: visit.person.id)?.stop()
        return try json(Done())
    }
}

extension Visit {
    fileprivate func requireAnswer() throws(PageProblem) -> AnswerID {
        guard let id = parameters.get("answer") else { throw .notFound }
        return AnswerID(id)
    }
}

private struct Draft: Decodable {
    var text: String
    var model: ModelName
}
