import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import SharedProtocol

/// Joins a connection's pipeline when its bytes are no HTTP: gives the bare 400 that the library then sends a request id and a
/// JSON body, as every other error has, and closes the connection when the client has had the time to read it.
final class BadRequestReply: ChannelOutboundHandler, RemovableChannelHandler {
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// Closed at once, a connection with unread bytes would be reset, and the reply with it.
    static let linger = TimeAmount.seconds(2)

    private let error: APIError

    init(_ error: HTTPParserError) {
        self.error = error == .headerOverflow ? .headersTooLarge : .notHTTP
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .head(let head) = unwrapOutboundIn(data), head.status == .badRequest,
            head.headerFields[.contentLength] == "0"
        else { return context.write(data, promise: promise) }
        var body = ByteBuffer()
        try? body.writeJSON(V1Reply.ErrorBody(error))
        let headers: HTTPFields = [
            .contentType: "application/json", .contentLength: "\(body.readableBytes)", .connection: "close",
            .requestID: RequestID.random().rawValue,
        ]
        let reply = HTTPResponse(status: HTTPResponse.Status(code: error.status), headerFields: headers)
        context.write(wrapOutboundOut(.head(reply)), promise: nil)
        context.write(wrapOutboundOut(.body(body)), promise: promise)
        let channel = context.channel
        context.eventLoop.scheduleTask(in: Self.linger) { channel.close(promise: nil) }
    }
}
