import NIOCore
import NIOPosix

/// One HTTP/1.1 request over a connection of its own, read as text, so that tests see the bytes that a client sees and can
/// leave whenever they like.
struct HTTPConversation {
    private let channel: any Channel
    private var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    /// All that has arrived.
    private(set) var text = ""

    /// Leaves when `body` returns.
    static func with<Result>(
        _ method: String, _ path: String, json: String = "", port: Int,
        _ body: (inout HTTPConversation) async throws -> Result
    ) async throws -> Result {
        let connection = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await connection.executeThenClose { inbound, outbound in
            let head = "\(method) \(path) HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
            try await outbound.write(
                ByteBuffer(string: head + "content-length: \(json.utf8.count)\r\n\r\n" + json))
            var conversation = HTTPConversation(channel: connection.channel, inbound: inbound.makeAsyncIterator())
            return try await body(&conversation)
        }
    }

    private init(channel: any Channel, inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator) {
        self.channel = channel
        self.inbound = inbound
    }

    /// Reads until `wanted` has arrived; false when the server closed the connection before.
    mutating func read(until wanted: String) async throws -> Bool {
        while !text.contains(wanted) {
            guard let bytes = try await inbound.next(isolation: #isolation) else { return false }
            text += String(buffer: bytes)
        }
        return true
    }

    mutating func readToEnd() async throws {
        while let bytes = try await inbound.next(isolation: #isolation) { text += String(buffer: bytes) }
    }
}
