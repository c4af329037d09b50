import NIOCore

/// The head of a response and the rest of it, pulled by one reader. Letting go of it closes the connection unless the
/// response has been read to its end.
public final class HTTPResponse: Sendable {
    public let head: HTTPResponseHead
    private let transfer: Transfer

    init(_ head: HTTPResponseHead, of transfer: Transfer) {
        self.head = head
        self.transfer = transfer
    }

    deinit {
        transfer.cancel()
    }

    /// All bytes that have arrived since the last call, at least one; waits for them; nil at the end.
    /// Cancelling the task closes the connection and throws `cancelled`.
    public func next() async throws(HTTPClientError) -> ByteBuffer? {
        try await transfer.bytes()
    }

    /// The rest of the body. Throws `tooLong` and closes the connection when it has more than `limit` bytes.
    public func collect(upTo limit: Int) async throws(HTTPClientError) -> ByteBuffer {
        guard var body = try await next() else { return ByteBuffer() }
        while body.readableBytes <= limit {
            guard var more = try await next() else { return body }
            body.writeBuffer(&more)
        }
        cancel()
        throw .tooLong
    }

    /// Closes the connection. What had arrived is dropped.
    public func cancel() {
        transfer.cancel()
    }

    /// Says that the rest does not matter. If it ends soon the connection can serve again, else it is closed.
    public func discardRest() {
        transfer.discardRest()
    }
}

/// The status and the header fields that somebody here needs.
public struct HTTPResponseHead: Sendable, Hashable {
    public var status: Int
    public var contentType: String?
    public var retryAfter: String?

    public init(status: Int, contentType: String? = nil, retryAfter: String? = nil) {
        self.status = status
        self.contentType = contentType
        self.retryAfter = retryAfter
    }
}
