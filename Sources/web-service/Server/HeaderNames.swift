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

    /// For names that are known to be valid when this is written.
    static func known(_ name: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(name) else { preconditionFailure("\(name) is no header name") }
        return name
    }
}
