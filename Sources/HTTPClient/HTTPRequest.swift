import NIOCore

/// What to send and how long to wait.
public struct HTTPRequest: Sendable {
    public var url: String
    /// Names and values; one with a control character fails the request. `Accept-Encoding: identity` is added.
    public var headers: [(name: String, value: String)]
    /// POST with these bytes, which are not copied; GET without.
    public var body: ByteBuffer?
    public var timeouts: HTTPTimeouts
    /// Bytes of the response that are read at once, from 1 KiB: held for as long as the response runs, and a long response
    /// costs one system call per this much.
    public var readSize = 16 << 10

    public init(
        url: String, headers: [(name: String, value: String)] = [], body: ByteBuffer? = nil, timeouts: HTTPTimeouts
    ) {
        self.url = url
        self.headers = headers
        self.body = body
        self.timeouts = timeouts
    }
}

/// How long each part of a request may take. They are watched with a resolution of 100 ms.
public struct HTTPTimeouts: Sendable, Hashable {
    /// Name resolution, TCP and TLS.
    public var connect: Duration
    /// From the start to the first byte of the response's body, or its end.
    public var firstByte: Duration
    /// Between two bytes of the body. A transfer that its reader keeps waiting is not idle.
    public var idle: Duration
    /// From the start to the end.
    public var total: Duration

    public init(connect: Duration, firstByte: Duration, idle: Duration, total: Duration) {
        self.connect = connect
        self.firstByte = firstByte
        self.idle = idle
        self.total = total
    }
}

/// Why there is no response, or not the whole of it. The details are for the log: they name no secret and no content.
public enum HTTPClientError: Error, Hashable, Sendable {
    /// Nothing was sent: no such host, refused, unreachable.
    case connectFailed(String)
    case timedOut(Phase)
    /// The connection ended before the response did.
    case dropped(String)
    /// The peer's certificate or the TLS handshake.
    case tls(String)
    /// Not a URL, not http or https, or a header that cannot be sent.
    case invalidRequest(String)
    /// What came is not HTTP/1.1.
    case invalidResponse(String)
    /// The body is longer than the caller wants.
    case tooLong
    case cancelled
    /// `HTTPClient.transferLimit` is reached.
    case overloaded
    /// The client was closed.
    case closed
    /// Out of descriptors, threads or memory at the start.
    case cannotStart(String)

    public enum Phase: String, Sendable {
        case connect
        case firstByte = "first byte"
        case idle
        case total
    }
}

extension HTTPClientError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .connectFailed(let reason): "could not connect: \(reason)"
        case .timedOut(let phase): "timed out: \(phase.rawValue)"
        case .dropped(let reason): "the connection broke: \(reason)"
        case .tls(let reason): "TLS failed: \(reason)"
        case .invalidRequest(let reason): "the request cannot be sent: \(reason)"
        case .invalidResponse(let reason): "the response is not HTTP: \(reason)"
        case .tooLong: "the response is too long"
        case .cancelled: "cancelled"
        case .overloaded: "too many requests at once"
        case .closed: "the HTTP client is closed"
        case .cannotStart(let reason): "the HTTP client cannot start: \(reason)"
        }
    }
}
