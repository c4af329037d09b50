import HTTPClient
import NIOCore
import SharedProtocol

/// One endpoint's attempt at a request: sends it, looks at the head of the response, and relays what follows.
///
/// A stream may last for hours, and thousands run at once. The compiler keeps in a task's memory whatever an asynchronous
/// function has in its hands anywhere in it: so this is an object, and what need not wait is in functions that are not inlined.
final class Attempt {
    /// Longest reply that is not a stream, in bytes.
    static let replyLimit = 24 << 20
    /// Read at once of a stream, in bytes: an event has some hundred.
    static let streamReadSize = 1 << 10

    let choice: EndpointDirectory.Choice
    private let course: Course
    private let client: HTTPClient
    private let events: EventSink
    /// Whether another endpoint would take the request, should this one go out before it has answered.
    private let mayMove: @Sendable () -> Bool
    private(set) var tally = Tally()
    private var parser = SSEParser()

    init(
        _ choice: EndpointDirectory.Choice, _ course: Course, _ client: HTTPClient, _ events: EventSink,
        mayMove: @escaping @Sendable () -> Bool
    ) {
        self.choice = choice
        self.course = course
        self.client = client
        self.events = events
        self.mayMove = mayMove
    }

    var endpoint: Endpoint { choice.endpoint }
    private var call: Router.Complete { course.call }

    /// Returns when the answer has come whole and has been relayed.
    @inline(never)
    func run() async throws(AttemptError) {
        let response = try await send()
        if call.isStream {
            try await relayStream(response)
        } else {
            try await relayReply(response)
        }
    }

    @inline(never)
    private func send() async throws(AttemptError) -> HTTPResponse {
        let response = try await firstByte(of: try begin())
        guard (200..<300).contains(response.head.status) else { throw await refusal(response) }
        try check(response.head.contentType)
        return response
    }

    /// Waits for the first byte, or until the endpoint has gone out.
    private func firstByte(of silence: SilentRequest) async throws(AttemptError) -> HTTPResponse {
        defer { endpoint.record.waitsNoLonger(silence) }
        do throws(HTTPClientError) {
            let response = try await silence.exchange.response()
            if silence.answered() { return response }
        } catch {
            if error != .cancelled { throw AttemptError(error) }
        }
        throw whyGivenUp(silence)
    }

    @inline(never)
    private func whyGivenUp(_ silence: SilentRequest) -> AttemptError {
        silence.isGivenUp && !Task.isCancelled ? .failed(.wentOut) : .callerLeft
    }

    /// A refusal's words are read for the client. Nobody waits for those of other failures.
    @inline(never)
    private func refusal(_ response: HTTPResponse) async -> AttemptError {
        let status = response.head.status
        guard Rejection.statuses.contains(status) else {
            response.discardRest()
            return .failed(AttemptFailure(response.head))
        }
        let body = try? await response.collect(upTo: Rejection.bodyLimit)
        return .failed(.rejected(Rejection(body ?? ByteBuffer()), status: status, by: endpoint))
    }

    @inline(never)
    private func begin() throws(AttemptError) -> SilentRequest {
        guard let body = course.body else { preconditionFailure("nothing is sent again once an answer has begun") }
        let left = course.deadline - .now()
        if left <= .zero { throw .failed(.tooLate) }
        do throws(HTTPClientError) {
            let exchange = try client.begin(request(body, within: .nanoseconds(left.nanoseconds)))
            let silence = SilentRequest(exchange, since: .now(), mayMove: mayMove)
            endpoint.record.waits(silence)
            return silence
        } catch {
            throw AttemptError(error)
        }
    }

    private func request(_ body: RequestBody, within total: Duration) -> HTTPRequest {
        let timeouts = endpoint.configuration.timeouts
        var headers = endpoint.headers(accepting: wantedType)
        headers.append((name: "Content-Type", value: "application/json"))
        var request = HTTPRequest(
            url: "\(endpoint.configuration.url)/\(call.operation)", headers: headers, body: body.bytes(for: endpoint),
            timeouts: HTTPTimeouts(
                connect: timeouts.connect, firstByte: timeouts.firstByte, idle: timeouts.idle, total: total))
        if call.isStream { request.readSize = Self.streamReadSize }
        return request
    }

    private var wantedType: String { call.isStream ? "text/event-stream" : "application/json" }

    /// A missing type is taken for the right one; the bytes will tell.
    @inline(never)
    private func check(_ contentType: String?) throws(AttemptError) {
        guard let contentType else { return }
        let type = contentType.prefix { $0 != ";" && $0 != " " }.lowercased()
        if type != wantedType { throw .failed(.wrongReply("the content type is \(type.prefix(100))")) }
    }
}

extension Attempt {
    @inline(never)
    private func relayReply(_ response: HTTPResponse) async throws(AttemptError) {
        let reply: ByteBuffer
        do throws(HTTPClientError) {
            reply = try await response.collect(upTo: Self.replyLimit)
        } catch {
            throw AttemptError(error)
        }
        try await relay(reply)
    }

    private func relayStream(_ response: HTTPResponse) async throws(AttemptError) {
        while try await feedParser(from: response) {
            guard try await relayEvents() else {
                response.discardRest()
                return try checkDone()
            }
        }
        try await relayLast()
    }

    /// Relays what has come; false when it says that it was the last.
    @inline(never)
    private func relayEvents() async throws(AttemptError) -> Bool {
        while let event = try nextEvent() {
            if Self.isDone(event) { return false }
            try await relay(event)
        }
        return true
    }

    @inline(never)
    private func relayLast() async throws(AttemptError) {
        if let event = parser.last(), !Self.isDone(event) { try await relay(event) }
        // The connection may have been cut where no one can tell it from an end.
        if !tally.isFinished { throw .failed(.wrongReply("the stream has no end")) }
    }

    /// False at the end of the response.
    @inline(never)
    private func feedParser(from response: HTTPResponse) async throws(AttemptError) -> Bool {
        do throws(HTTPClientError) {
            guard let bytes = try await response.next() else { return false }
            parser.feed(bytes)
            return true
        } catch {
            throw AttemptError(error)
        }
    }

    /// A flood never makes its reader wait, which is where a transfer notices that it was cancelled: so each event asks.
    @inline(never)
    private func nextEvent() throws(AttemptError) -> ByteBuffer? {
        if Task.isCancelled { throw .callerLeft }
        do throws(SSEParser.EventTooLong) {
            return try parser.next()
        } catch {
            throw .failed(.tooLong("an event"))
        }
    }

    private func relay(_ event: ByteBuffer) async throws(AttemptError) {
        guard let relayed = try counted(event) else { return }
        do throws(CallError) {
            try await events.send(relayed)
        } catch {
            throw .callerLeft
        }
    }

    /// Checks and counts an event; what the caller gets of it, nil: nothing.
    @inline(never)
    private func counted(_ event: ByteBuffer) throws(AttemptError) -> ByteBuffer? {
        guard let scan = EventScan(event) else { throw .failed(.wrongReply("what came is not a JSON object")) }
        if scan.hasError { throw .failed(error(event)) }
        tally.count(scan)
        if !tally.hasRelayed { endpoint.record.succeeded() }
        if call.isStream, scan.isUsageOnly, !call.relaysUsage { return nil }
        if !tally.hasRelayed { course.hasRelayed() }
        tally.hasRelayed = true
        return scan.withPublicName(endpoint.quotedPublicModel, in: event)
    }

    /// Some backends begin a stream, with status 200, before they look at the request.
    private func error(_ event: ByteBuffer) -> AttemptFailure {
        let rejection = Rejection(event)
        guard !tally.hasRelayed, let status = rejection.status else {
            return .wrongReply("an error came in place of an answer")
        }
        return .rejected(rejection, status: status, by: endpoint)
    }

    @inline(never)
    private func checkDone() throws(AttemptError) {
        if !tally.hasRelayed, tally.usage == nil { throw .failed(.wrongReply("the stream has no events")) }
    }

    private static let done = ByteBuffer(string: "[DONE]")

    @inline(never)
    private static func isDone(_ event: ByteBuffer) -> Bool { event == done }
}
