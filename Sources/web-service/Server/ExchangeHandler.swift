import Glibc
import NIOCore
import NIOHTTP1
import SharedProtocol

/// What HTTP/1 asks of a server and the library leaves to us (RFC 9112). A request that cannot be answered gets an error in the
/// shape of all others, and is the connection's last; who speaks HTTP/1.0 gets nothing newer; and each side says when it
/// will close.
final class ExchangeHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// Longest address, and longest header field, in bytes.
    static let fieldLimit = 16 << 10
    /// Closed at once, a connection with unread bytes would be reset, and the reply with it.
    static let linger = TimeAmount.seconds(2)

    private let presence: ClientPresence
    /// A head has been read, and its body not yet.
    private var isReading = false
    /// Heads that were read less the replies that were sent whole.
    private var unanswered = 0
    /// A part of a reply has been sent.
    private var hasBegun = false
    /// Nothing is read after the request that is being read, or was read last.
    private var isLast = false
    /// The client speaks HTTP/1.0.
    private var isOld = false
    /// Sent instead of the last request's reply.
    private var refusal: APIError?
    /// Its head has been sent; what the handler writes is dropped.
    private var hasRefused = false
    /// The reply on its way ends with the connection.
    private var endsWithConnection = false
    private var requestLine = (bytes: 0, isWhole: false)

    init(_ presence: ClientPresence) { self.presence = presence }

    /// Bytes that are not HTTP yet.
    func received(_ bytes: ByteBuffer) {
        presence.pace { $0.received(bytes, at: .now()) }
        guard !isReading, !requestLine.isWhole else { return }
        let lineEnd = bytes.readableBytesView.firstIndex(of: UInt8(ascii: "\n"))
        requestLine.bytes += (lineEnd ?? bytes.writerIndex) - bytes.readerIndex
        requestLine.isWhole = lineEnd != nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if refusal != nil || isLast && !isReading { return }
        switch unwrapInboundIn(data) {
        case .head(let head): return read(head, data, context)
        case .body: break
        case .end:
            isReading = false
            requestLine = (0, false)
            presence.pace { $0.requestCame(isAnswered: unanswered == 0) }
        }
        context.fireChannelRead(data)
    }

    private func read(_ head: HTTPRequestHead, _ data: NIOAny, _ context: ChannelHandlerContext) {
        isReading = true
        unanswered += 1
        presence.pace { $0.headCame(at: .now()) }
        isOld = head.version.minor == 0
        let demands = Demands(of: head)
        if let problem = demands.problem { return refuse(problem, context) }
        isLast = demands.isLast
        guard isLast || isOld else { return context.fireChannelRead(data) }
        var head = head
        // The library knows a last request by exactly this.
        if isLast { head.headers.replaceOrAdd(name: "Connection", value: "close") }
        // An older client is not asked for its body (RFC 9110, 10.1.1).
        if isOld { head.headers.remove(name: "expect") }
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }

    /// What cannot be understood, or came too slowly.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case HTTPParserError.headerOverflow:
            refuse(requestLine.bytes > Self.fieldLimit ? .urlTooLong : .headersTooLarge, context)
        case is HTTPParserError: refuse(.notHTTP, context)
        case let error as APIError: refuse(error, context)
        default: context.fireErrorCaught(error)
        }
    }

    private func refuse(_ error: APIError, _ context: ChannelHandlerContext) {
        if refusal != nil || isLast && !isReading { return }
        refusal = error
        if isReading, unanswered == 0 || unanswered == 1 && hasBegun {
            // The reply to this request is there already, or on its way.
            return leave(context)
        }
        if !isReading { unanswered += 1 }
        // The library answers with a bare 400 when it has answered what came before.
        context.fireErrorCaught(HTTPParserError.unknown)
    }

    private func leave(_ context: ChannelHandlerContext) {
        context.close(mode: .output, promise: nil)
        let channel = context.channel
        context.eventLoop.scheduleTask(in: Self.linger) { channel.close(promise: nil) }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head):
            let isFinal = head.status.code >= 200
            if isFinal { hasBegun = true }
            guard isFinal, isLast || isOld || refusal != nil else { break }
            return write(head, context, promise)
        case .body:
            if hasRefused {
                promise?.succeed()
                return
            }
        case .end: return end(data, context, promise)
        }
        context.write(data, promise: promise)
    }

    private func write(_ head: HTTPResponseHead, _ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        let isLastReply = unanswered == 1
        if isLastReply, let refusal {
            hasRefused = true
            return write(refusal, context, promise)
        }
        var head = head
        if isOld {
            head.version = .http1_0
            endsWithConnection = head.status.mayHaveResponseBody && !head.headers.contains(name: "content-length")
            head.headers.replaceOrAdd(name: "Connection", value: endsWithConnection ? "close" : "keep-alive")
        }
        if isLast, isLastReply { head.headers.replaceOrAdd(name: "Connection", value: "close") }
        context.write(wrapOutboundOut(.head(head)), promise: promise)
    }

    private func write(_ refusal: APIError, _ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        var body = ByteBuffer()
        try? body.writeJSON(V1Reply.ErrorBody(refusal))
        let head = HTTPResponseHead(
            version: isOld ? .http1_0 : .http1_1, status: HTTPResponseStatus(statusCode: refusal.status),
            headers: [
                "Content-Type": "application/json", "Content-Length": "\(body.readableBytes)", "Connection": "close",
                "x-request-id": RequestID.random().rawValue, "Date": DateHeader.text(of: time(nil)),
            ])
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: promise)
    }

    private func end(_ data: NIOAny, _ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        hasBegun = false
        unanswered -= 1
        if unanswered == 0 || unanswered == 1 && isReading { presence.pace { $0.answered(at: .now()) } }
        guard hasRefused || endsWithConnection else { return context.write(data, promise: promise) }
        let sent = promise ?? context.eventLoop.makePromise()
        sent.futureResult.assumeIsolated().whenSuccess { self.leave(context) }
        context.write(data, promise: sent)
    }
}

extension ExchangeHandler {
    /// What a request's head asks of the server beside its answer.
    private struct Demands {
        var problem: APIError?
        var isLast: Bool

        init(of head: HTTPRequestHead) {
            isLast = !head.isKeepAlive
            let isOld = head.version.minor == 0
            var hosts = 0
            for (name, value) in head.headers {
                // Told by their lengths first: this is done for every request.
                switch name.utf8.count {
                case 4 where name.lowercased() == "host": hosts += 1
                case 6 where name.lowercased() == "expect":
                    if value.lowercased() != "100-continue" { problem = .expectationFailed }
                // The parser takes all that follows for another protocol, which we do not speak.
                case 7 where name.lowercased() == "upgrade": isLast = true
                case 17 where name.lowercased() == "transfer-encoding":
                    if value.lowercased() != "chunked" { problem = .unknownCoding }
                    // HTTP/1.0 has none: the length of the body is anybody's guess (6.1).
                    if isOld { isLast = true }
                default: break
                }
            }
            if case .CONNECT = head.method { isLast = true }
            if !isOld, hosts != 1 { problem = .oneHost }
        }
    }
}
