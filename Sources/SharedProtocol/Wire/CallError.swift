/// The only error that crosses the wire. `message` may be shown to whoever made the request: no secret, address or prompt.
public struct CallError: Error, Codable, Sendable, Hashable {
    public var code: Code
    public var message: String
    /// When it makes sense to try again, in milliseconds from now.
    public var retryAfterMs: Int64?

    public init(_ code: Code, _ message: String, retryAfterMs: Int64? = nil) {
        self.code = code
        self.message = message
        self.retryAfterMs = retryAfterMs
    }

    enum CodingKeys: String, CodingKey {
        case code, message
        case retryAfterMs = "retry_after_ms"
    }

    /// What went wrong. Open: an older peer decodes a newer code and treats it as a failure.
    public struct Code: Identifier {
        public let rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }

        // Of the wire.
        /// The peer cannot be reached; the call was not executed.
        public static let unavailable = Code("unavailable")
        /// The connection broke after the call was written; it may have been executed.
        public static let connectionLost = Code("connection_lost")
        /// The deadline passed; the call may have been executed.
        public static let deadlineExceeded = Code("deadline_exceeded")
        /// A bounded queue is full.
        public static let busy = Code("busy")
        public static let cancelled = Code("cancelled")
        public static let unknownMethod = Code("unknown_method")
        public static let invalidParams = Code("invalid_params")
        /// A frame was too long, not JSON, or out of order.
        public static let protocolViolation = Code("protocol_violation")
        public static let internalError = Code("internal_error")

        // Of the services.
        public static let notFound = Code("not_found")
        /// The request is well-formed but what it asks for is not allowed or not possible; `message` says why.
        public static let refused = Code("refused")
        public static let unauthenticated = Code("unauthenticated")
        public static let accountDisabled = Code("account_disabled")
        /// The service's own storage failed; nothing was changed.
        public static let storageFailed = Code("storage_failed")
    }
}
