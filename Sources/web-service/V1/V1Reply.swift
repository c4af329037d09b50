import HTTPTypes
import Hummingbird
import NIOCore
import SharedProtocol

/// What `/v1` sends: JSON, server-sent events, errors, and the headers beside them.
enum V1Reply {
    static func json(status: HTTPResponse.Status = .ok, _ value: some Encodable) -> Response {
        var body = ByteBuffer()
        do throws(CallError) {
            try body.writeJSON(value)
        } catch {
            preconditionFailure("replies are plain values: \(error)")
        }
        return Response(
            status: status, headers: [.contentType: "application/json", .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: body))
    }

    static func failure(_ error: APIError) -> Response {
        var response = json(status: HTTPResponse.Status(code: error.status), ErrorBody(error))
        response.headers[.retryAfter] = error.retryAfter.map { "\($0)" }
        response.headers[.shouldRetry] = error.shouldRetry.map { "\($0)" }
        response.headers[.limitedBy] = error.limitedBy?.rawValue
        response.headers[.allow] = error.allowed
        return response
    }

    /// A reply that is sent before the request's body has been read.
    static func early(_ response: Response, to request: Request, on channel: any Channel) -> Response {
        var early = response
        early.body = ResponseBody(contentLength: response.body.contentLength) { writer in
            try await response.body.write(writer)
            await V1Body.discard(request.body, of: channel)
        }
        return early
    }

    /// The reply of a request that is not streamed, after its bill is durable.
    static func whole(_ answer: Answer, _ ticket: IdempotencyKeys.Ticket?) async throws(APIError) -> Response {
        let reply = await answer.next().first
        while await !answer.next().isEmpty {}
        let settlement = answer.settlement
        let whole = reply.map { IdempotencyKeys.KeptReply(body: $0, lowered: answer.loweredLimit) }
        await end(ticket, of: answer, with: settlement.outcome == .completed ? whole : nil)
        if let failure = settlement.failure { throw failure }
        guard let whole else { throw .cancelled }
        return Self.whole(whole)
    }

    /// The reply of an earlier request under the same idempotency key.
    static func again(_ reply: IdempotencyKeys.KeptReply) -> Response {
        var response = whole(reply)
        response.headers[.idempotentReplayed] = "true"
        return response
    }

    private static func whole(_ reply: IdempotencyKeys.KeptReply) -> Response {
        var headers: HTTPFields = [.contentType: "application/json", .cacheControl: "no-store"]
        add(reply.lowered, to: &headers)
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: reply.body))
    }

    /// Before the client hears of the end, so that its repeat finds it. What was billed must not run again, what was not may.
    @inline(never)
    private static func end(
        _ ticket: IdempotencyKeys.Ticket?, of answer: Answer, with reply: IdempotencyKeys.KeptReply? = nil
    ) async {
        await ticket?.end(answer.settlement.usage == nil ? .notBilled : .billed(reply))
    }

    /// Relays the events as they come. The end is sent after the bill is durable; when the client leaves, the backend is
    /// stopped and what it produced is billed.
    static func stream(
        _ answer: Answer, _ presence: ClientPresence, _ ticket: IdempotencyKeys.Ticket?
    ) -> Response {
        var headers: HTTPFields = [
            .contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-store", .accelBuffering: "no",
        ]
        add(answer.loweredLimit, to: &headers)
        let body = ResponseBody { writer in
            defer { presence.forget() }
            do {
                try await relay(answer, presence, &writer)
                await end(ticket, of: answer)
                try await writer.write(ServerSentEvents.end(of: answer))
                try await writer.finish(nil)
            } catch {
                await stop(answer)
                await end(ticket, of: answer)
                throw error
            }
        }
        return Response(status: .ok, headers: headers, body: body)
    }

    // Not inlined, as all that does not wait in a stream's course: a running stream's task would keep what it needs.

    @inline(never)
    @concurrent private static func relay(
        _ answer: Answer, _ presence: ClientPresence, _ writer: inout any ResponseBodyWriter
    ) async throws {
        while case let events = await answer.next(), !events.isEmpty {
            let frames = ServerSentEvents.frames(events)
            try await write(frames, presence, &writer)
        }
    }

    @inline(never)
    @concurrent private static func write(
        _ frames: ByteBuffer, _ presence: ClientPresence, _ writer: inout any ResponseBodyWriter
    ) async throws {
        try await presence.writing { try await writer.write(frames) }
    }

    @inline(never)
    private static func stop(_ answer: Answer) async {
        answer.stop()
        while await !answer.next().isEmpty {}
    }

    static func add(_ standing: RateLimitStanding, to headers: inout HTTPFields) {
        headers[.limitRequests] = "\(standing.limit)"
        headers[.remainingRequests] = "\(standing.remaining)"
        headers[.resetRequests] = "\(standing.resetSeconds)s"
    }

    private static func add(
        _ lowered: (limit: TokenCount, by: Ledger.LimitedBy)?, to headers: inout HTTPFields
    ) {
        guard let lowered else { return }
        headers[.outputLimit] = "\(lowered.limit)"
        headers[.limitedBy] = lowered.by.rawValue
    }

    /// `{"error":{…}}`; absent members are null, as OpenAI sends them.
    struct ErrorBody: Encodable {
        var error: Detail

        init(_ error: APIError) {
            self.error = Detail(message: error.message, type: error.type, param: error.param, code: error.code)
        }

        struct Detail: Encodable {
            var message: String
            var type: String
            var param: String?
            var code: String?

            enum CodingKeys: String, CodingKey { case message, type, param, code }

            func encode(to encoder: any Encoder) throws {
                var container = encoder.container(keyedBy: CodingKeys.self)
                try container.encode(message, forKey: .message)
                try container.encode(type, forKey: .type)
                try container.encode(param, forKey: .param)
                try container.encode(code, forKey: .code)
            }
        }
    }
}

/// Server-sent events (WHATWG HTML, 9.2) of raw JSON.
enum ServerSentEvents {
    /// One buffer for all that arrived together: one write.
    @inline(never)
    static func frames(_ events: [ByteBuffer]) -> ByteBuffer {
        let bytes = events.reduce(0) { $0 + $1.readableBytes + 8 }
        var frames = ByteBufferAllocator().buffer(capacity: bytes)
        for event in events {
            frames.writeStaticString("data: ")
            frames.writeImmutableBuffer(event)
            frames.writeStaticString("\n\n")
        }
        return frames
    }

    /// The terminal event, after the reason when the stream did not come whole.
    @inline(never)
    static func end(of answer: Answer) -> ByteBuffer {
        var end = ByteBuffer()
        // Who has closed only its sending side still reads, and must not take a cut answer for a whole one.
        if let failure = answer.settlement.failure ?? (answer.settlement.outcome == .cancelled ? .cancelled : nil) {
            end.writeStaticString("data: ")
            try? end.writeJSON(V1Reply.ErrorBody(failure))
            end.writeStaticString("\n\n")
        }
        end.writeStaticString("data: [DONE]\n\n")
        return end
    }
}
