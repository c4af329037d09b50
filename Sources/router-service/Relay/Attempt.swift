import HTTPClient
import NIOCore
import SharedProtocol

/// One endpoint's attempt at a request: sends it, looks at the head of the response, and relays what follows.
struct Attempt {
    /// Longest reply that is not a stream, in bytes.
    static let replyLimit = 24 << 20

    let endpoint: Endpoint
    let call: Router.Complete
    let client: HTTPClient
    let events: EventSink
    /// Whether another endpoint would take the request, should this one go out before it has answered.
    let mayMove: @Sendable () -> Bool

    /// Returns when the answer has come whole and has been relayed.
    func run(_ body: ByteBuffer, within total: Duration, _ tally: inout Tally) async throws(AttemptError) {
        let response = try await response(to: request(body, within: total))
        let head = response.head
        guard (200..<300).contains(head.status) else { throw .failed(await failure(response)) }
        try check(head.contentType)
        if call.isStream {
            try await relayStream(response, &tally)
        } else {
            try await relayReply(response, &tally)
        }
    }

    /// Waits for the first byte, or until the endpoint has gone out.
    private func response(to request: HTTPRequest) async throws(AttemptError) -> HTTPResponse {
        let exchange = try await http { () async throws(HTTPClientError) in try client.begin(request) }
        let silence = SilentRequest(exchange, since: .now(), mayMove: mayMove)
        endpoint.record.waits(silence)
        defer { endpoint.record.waitsNoLonger(silence) }
        do throws(HTTPClientError) {
            let response = try await exchange.response()
            if silence.answered() { return response }
        } catch {
            if error != .cancelled { throw .failed(AttemptFailure(error)) }
        }
        throw silence.isGivenUp && !Task.isCancelled ? .failed(.wentOut) : .callerLeft
    }

    /// A refusal's words are read for the client. Nobody waits for those of other failures.
    private func failure(_ response: HTTPResponse) async -> AttemptFailure {
        let status = response.head.status
        guard Rejection.statuses.contains(status) else {
            response.discardRest()
            return AttemptFailure(response.head)
        }
        let body = try? await response.collect(upTo: Rejection.bodyLimit)
        return .rejected(Rejection(body ?? ByteBuffer()), status: status, by: endpoint)
    }

    private func request(_ body: ByteBuffer, within total: Duration) -> HTTPRequest {
        let timeouts = endpoint.configuration.timeouts
        var headers = endpoint.headers(accepting: wantedType)
        headers.append((name: "Content-Type", value: "application/json"))
        return HTTPRequest(
            url: "\(endpoint.configuration.url)/\(call.operation)", headers: headers, body: body,
            timeouts: HTTPTimeouts(
                connect: timeouts.connect, firstByte: timeouts.firstByte, idle: timeouts.idle, total: total))
    }

    private var wantedType: String { call.isStream ? "text/event-stream" : "application/json" }

    /// A missing type is taken for the right one; the bytes will tell.
    private func check(_ contentType: String?) throws(AttemptError) {
        guard let contentType else { return }
        let type = contentType.prefix { $0 != ";" && $0 != " " }.lowercased()
        if type != wantedType { throw .failed(.wrongReply("the content type is \(type.prefix(100))")) }
    }
}

extension Attempt {
    private func relayReply(_ response: HTTPResponse, _ tally: inout Tally) async throws(AttemptError) {
        let reply = try await http { () async throws(HTTPClientError) in
            try await response.collect(upTo: Self.replyLimit)
        }
        try await relay(reply, &tally)
    }

    private func relayStream(_ response: HTTPResponse, _ tally: inout Tally) async throws(AttemptError) {
        var parser = SSEParser()
        while let bytes = try await http({ () async throws(HTTPClientError) in try await response.next() }) {
            parser.feed(bytes)
            while let event = try next(&parser) {
                if Self.isDone(event) {
                    response.discardRest()
                    return try checkEnd(tally)
                }
                try await relay(event, &tally)
            }
        }
        if let event = parser.last(), !Self.isDone(event) { try await relay(event, &tally) }
        // The connection may have been cut where no one can tell it from an end.
        if !tally.isFinished { throw .failed(.wrongReply("the stream has no end")) }
    }

    private func checkEnd(_ tally: Tally) throws(AttemptError) {
        if !tally.hasRelayed, tally.usage == nil { throw .failed(.wrongReply("the stream has no events")) }
    }

    private func relay(_ event: ByteBuffer, _ tally: inout Tally) async throws(AttemptError) {
        guard let scan = EventScan(event) else { throw .failed(.wrongReply("what came is not a JSON object")) }
        if scan.hasError { throw .failed(error(event, tally)) }
        tally.count(scan)
        if !tally.hasRelayed { endpoint.record.succeeded() }
        if call.isStream, scan.isUsageOnly, !call.relaysUsage { return }
        tally.hasRelayed = true
        do throws(CallError) {
            try await events.send(scan.withPublicName(endpoint.quotedPublicModel, in: event))
        } catch {
            throw .callerLeft
        }
    }

    /// Some backends begin a stream, with status 200, before they look at the request.
    private func error(_ event: ByteBuffer, _ tally: Tally) -> AttemptFailure {
        let rejection = Rejection(event)
        guard !tally.hasRelayed, let status = rejection.status else {
            return .wrongReply("an error came in place of an answer")
        }
        return .rejected(rejection, status: status, by: endpoint)
    }

    private func next(_ parser: inout SSEParser) throws(AttemptError) -> ByteBuffer? {
        do throws(SSEParser.EventTooLong) {
            return try parser.next()
        } catch {
            throw .failed(.tooLong("an event"))
        }
    }

    private func http<Result>(_ work: () async throws(HTTPClientError) -> Result) async throws(AttemptError) -> Result {
        do throws(HTTPClientError) {
            return try await work()
        } catch {
            throw error == .cancelled ? .callerLeft : .failed(AttemptFailure(error))
        }
    }

    private static let done = ByteBuffer(string: "[DONE]")

    private static func isDone(_ event: ByteBuffer) -> Bool { event == done }
}
