import HTTPTypes

/// Header fields that the library has no names for.
extension HTTPField.Name {
    static let requestID = known("x-request-id")
    static let accelBuffering = known("X-Accel-Buffering")
    static let shouldRetry = known("x-should-retry")
    static let limitedBy = known("x-lumen-limited-by")
    static let outputLimit = known("x-lumen-output-limit")
    static let limitRequests = known("x-ratelimit-limit-requests")
    static let remainingRequests = known("x-ratelimit-remaining-requests")
    static let resetRequests = known("x-ratelimit-reset-requests")
    static let forwardedFor = known("X-Forwarded-For")
    static let idempotencyKey = known("Idempotency-Key")
    static let idempotentReplayed = known("idempotent-replayed")
    static let lastEventID = known("Last-Event-ID")
    static let secFetchSite = known("Sec-Fetch-Site")
    static let referrerPolicy = known("Referrer-Policy")
    static let permissionsPolicy = known("Permissions-Policy")
    static let crossOriginOpenerPolicy = known("Cross-Origin-Opener-Policy")
    static let crossOriginResourcePolicy = known("Cross-Origin-Resource-Policy")

    /// For names that are known to be valid when this is written.
    static func known(_ name: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(name) else { preconditionFailure("\(name) is no header name") }
        return name
    }
}
