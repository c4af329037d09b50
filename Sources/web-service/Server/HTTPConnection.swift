import HTTPTypes
import HummingbirdCore
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOHTTPTypes

/// One client's connection, the last handler of its pipeline: gives out its requests one after the other, and sends what their
/// replies consist of. One task asks for requests, and one at a time reads a body or writes.
///
/// In place of `NIOAsyncChannel` and Hummingbird's loop over it, which hold 9 KB more for as long as a reply runs.
final class HTTPConnection: ChannelDuplexHandler, ServerChildChannelValue {
    typealias InboundIn = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// Parts that may wait for whoever reads them; with more, the socket is not read.
    static let partLimit = 10

    private struct State {
        /// What has come and was not taken yet.
        var parts: [HTTPRequestPart] = []
        /// Why no more parts come.
        var end: End?
        /// Whether the request that was given out last has come to its end.
        var hasWholeRequest = true
        /// Whether the channel would read, were there not so many parts.
        var isReadHeldBack = false
        var isFlushScheduled = false
        var isClosed = false
        var reader: CheckedContinuation<Void, Never>?
        var writer: CheckedContinuation<Void, Never>?

        mutating func takeReader() -> CheckedContinuation<Void, Never>? {
            defer { reader = nil }
            return reader
        }

        mutating func takeWriter() -> CheckedContinuation<Void, Never>? {
            defer { writer = nil }
            return writer
        }
    }

    private enum End {
        case closed
        case failed(any Error)
    }

    let channel: any Channel
    private let state = NIOLockedValueBox(State())

    init(_ channel: any Channel) { self.channel = channel }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        state.withLockedValue { state in
            if state.end == nil { state.parts.append(part) }
            return state.takeReader()
        }?.resume()
    }

    func read(context: ChannelHandlerContext) {
        let mayRead = state.withLockedValue { state in
            state.isReadHeldBack = state.parts.count > Self.partLimit
            return !state.isReadHeldBack
        }
        if mayRead { context.read() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { state.withLockedValue { $0.takeWriter() }?.resume() }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed = event as? ChannelEvent { ended(.closed) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { ended(.failed(error)) }

    /// The channel is closed. Hummingbird's handler before this one keeps `channelInactive` to itself.
    func handlerRemoved(context: ChannelHandlerContext) {
        ended(.closed)
        state.withLockedValue { state in
            state.isClosed = true
            return state.takeWriter()
        }?.resume()
    }

    private func ended(_ end: End) {
        state.withLockedValue { state in
            if state.end == nil { state.end = end }
            return state.takeReader()
        }?.resume()
    }
}

// Requests.
extension HTTPConnection {
    private struct UnexpectedPart: Error {}

    /// The next request's head; nil when the client will send no more. What is left of the request before is dropped. Throws
    /// `HTTPParserError` when what came is no HTTP.
    func nextHead() async throws -> HTTPRequest? {
        while try await nextChunk() != nil {}
        guard let part = try await nextPart() else { return nil }
        guard case .head(let head) = part else { throw UnexpectedPart() }
        state.withLockedValue { $0.hasWholeRequest = false }
        return head
    }

    /// The body of the request whose head was given out last. It need not be waited for when all of it has come.
    func body() -> RequestBody {
        let whole: ByteBuffer? = state.withLockedValue { state in
            let length = state.parts.prefix { if case .body = $0 { true } else { false } }.count
            guard length < state.parts.count, case .end = state.parts[length] else { return nil }
            var body = ByteBuffer()
            for part in state.parts.prefix(length) {
                if case .body(let chunk) = part { body.writeImmutableBuffer(chunk) }
            }
            state.parts.removeFirst(length + 1)
            state.hasWholeRequest = true
            return body
        }
        resumeReading()
        return whole.map { RequestBody(buffer: $0) } ?? RequestBody(asyncSequence: Chunks(connection: self))
    }

    private struct Chunks: AsyncSequence, AsyncIteratorProtocol {
        let connection: HTTPConnection

        func makeAsyncIterator() -> Chunks { self }

        func next() async throws -> ByteBuffer? { try await connection.nextChunk() }
    }

    /// The next piece of the request's body; nil at its end.
    private func nextChunk() async throws -> ByteBuffer? {
        if state.withLockedValue({ $0.hasWholeRequest }) { return nil }
        switch try await nextPart() {
        case .body(let chunk): return chunk
        case .end, nil:
            state.withLockedValue { $0.hasWholeRequest = true }
            return nil
        case .head: throw UnexpectedPart()
        }
    }

    private func nextPart() async throws -> HTTPRequestPart? {
        while true {
            let (part, end) = state.withLockedValue { state -> (HTTPRequestPart?, End?) in
                state.parts.isEmpty ? (nil, state.end) : (state.parts.removeFirst(), nil)
            }
            resumeReading()
            if let part { return part }
            switch end {
            case .closed: return nil
            case .failed(let error): throw error
            case nil: await waitForPart()
            }
        }
    }

    private func waitForPart() async {
        await withCheckedContinuation { continuation in
            let mustWait = state.withLockedValue { state in
                guard state.parts.isEmpty, state.end == nil else { return false }
                state.reader = continuation
                return true
            }
            if !mustWait { continuation.resume() }
        }
    }

    private func resumeReading() {
        let isDue = state.withLockedValue { state in
            guard state.isReadHeldBack, state.parts.isEmpty else { return false }
            state.isReadHeldBack = false
            return true
        }
        if isDue { channel.read() }
    }
}

// Replies.
extension HTTPConnection {
    /// Sends a part of the reply; all of one turn of the event loop leave in one system call. Waits while the client reads more
    /// slowly than we send; throws when the connection is closed.
    func write(_ part: HTTPResponsePart) async throws {
        send(part)
        if !channel.isWritable { await waitForRoom() }
        if state.withLockedValue({ $0.isClosed }) { throw ChannelError.ioOnClosedChannel }
    }

    /// Tells a client that what it sent is no HTTP, and takes no more of it.
    func refuse() {
        send(.head(HTTPResponse(status: .badRequest, headerFields: [.connection: "close", .contentLength: "0"])))
        send(.end(nil))
        finish()
    }

    /// Sends no more. The connection is closed when the client closes it, or after the idle limit.
    func finish() {
        ended(.closed)
        channel.flush()
        channel.close(mode: .output, promise: nil)
    }

    private func send(_ part: HTTPResponsePart) {
        channel.write(part, promise: nil)
        let isFirst = state.withLockedValue { state in
            defer { state.isFlushScheduled = true }
            return !state.isFlushScheduled
        }
        guard isFirst else { return }
        channel.eventLoop.execute {
            self.state.withLockedValue { $0.isFlushScheduled = false }
            self.channel.flush()
        }
    }

    private func waitForRoom() async {
        await withCheckedContinuation { continuation in
            let mustWait = state.withLockedValue { state in
                if state.isClosed || channel.isWritable { return false }
                state.writer = continuation
                return true
            }
            if !mustWait { continuation.resume() }
        }
    }

    /// Writes a reply's body.
    struct BodyWriter: ResponseBodyWriter {
        let connection: HTTPConnection

        func write(_ buffer: ByteBuffer) async throws { try await connection.write(.body(buffer)) }

        consuming func finish(_ trailer: HTTPFields?) async throws { try await connection.write(.end(trailer)) }
    }
}
