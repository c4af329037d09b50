import Hummingbird
import NIOCore
import ServiceLifecycle
import SharedProtocol

/// Sends an answer to one page as server-sent events: what is missing, then what comes, then its end. Reconnecting with the
/// id of the last event goes on from there. Its reader leaving changes nothing for the answer.
struct AnswerFollower: Sendable {
    let id: AnswerID
    let owner: UserID
    let desk: AnswerDesk

    /// How often the stored row is looked at when the answer is being written by another process.
    static let pollInterval = Duration.seconds(1)

    /// - Parameter start: what the reader has already.
    func body(after start: AnswerCursor) -> ResponseBody {
        ResponseBody { writer in
            // An orderly stop must not wait for readers; the browser comes back to the next process by itself.
            try await withGracefulShutdownHandler {
                try await send(after: start, to: &writer)
            } onGracefulShutdown: {
                desk.live(id, of: owner)?.nudge()
            }
            try await writer.finish(nil)
        }
    }

    @concurrent private func send(after start: AnswerCursor, to writer: inout any ResponseBodyWriter) async throws {
        let live = desk.live(id, of: owner)
        if let live, !live.addFollower() { return }
        defer { live?.removeFollower() }
        var cursor = start
        try await writer.write(ByteBuffer(staticString: "retry: 1000\n\n"))
        while !Task.isShuttingDownGracefully {
            let news: LiveAnswer.News
            if let live {
                news = live.news(after: cursor)
            } else {
                news = try await storedNews(after: cursor)
            }
            try await writer.write(try Self.event(news))
            if news.end != nil { return }
            cursor = news.cursor
            if let live {
                await live.waitForNews(after: cursor)
            } else {
                try await Task.sleep(for: Self.pollInterval)
            }
        }
    }

    private func storedNews(after cursor: AnswerCursor) async throws(CallError) -> LiveAnswer.News {
        let message = try await desk.store.answer(id, of: owner)
        let facts = message.answer
        var end: AnswerEnd?
        if let facts, facts.state != .running {
            end = AnswerEnd(
                state: facts.state, text: "", reasoning: "", problem: facts.problem, bill: facts.bill)
        }
        return LiveAnswer.News(
            text: message.text, reasoning: facts?.reasoning ?? "", after: cursor, end: end)
    }

    /// One event, or two with the end; a comment when there is nothing new, which shows whether the reader is there.
    static func event(_ news: LiveAnswer.News) throws(CallError) -> ByteBuffer {
        var buffer = ByteBuffer()
        if !news.text.isEmpty || !news.reasoning.isEmpty {
            buffer.writeString("id: \(news.cursor)\ndata: ")
            try buffer.writeJSON(Addition(text: news.text, reasoning: news.reasoning))
            buffer.writeStaticString("\n\n")
        }
        if let end = news.end {
            buffer.writeStaticString("event: end\ndata: ")
            try buffer.writeJSON(End(state: end.state, problem: end.problem, bill: end.bill))
            buffer.writeStaticString("\n\n")
        }
        if buffer.readableBytes == 0 { buffer.writeStaticString(":\n\n") }
        return buffer
    }

    private struct Addition: Encodable {
        var text: String
        var reasoning: String
    }

    private struct End: Encodable {
        var state: AnswerState
        var problem: String?
        var bill: AnswerBill?
    }
}
