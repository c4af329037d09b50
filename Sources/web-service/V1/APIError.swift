import HTTPTypes
import SharedProtocol

/// Why a model request failed, in OpenAI's shape. The message is for the client: no address, no secret; details are logged
/// where they happen.
struct APIError: Error, Sendable, Hashable {
    var status: Int
    var message: String
    var type: String
    var param: String?
    var code: String?
    /// Seconds, for `Retry-After`.
    var retryAfter: Int64?
    /// For `x-should-retry`; absent: the client decides.
    var shouldRetry: Bool?
    /// For `x-lumen-limited-by`.
    var limitedBy: Ledger.LimitedBy?
    /// For `Allow`: the methods that the path takes.
    var allowed: String?
    /// Of a rate limit that refused.
    var standing: RateLimitStanding?
}

extension APIError {
    static func invalidRequest(_ message: String, param: String? = nil, code: String? = nil) -> APIError {
        APIError(status: 400, message: message, type: "invalid_request_error", param: param, code: code)
    }

    static let unknownURL = APIError(
        status: 404, message: "There is no such path.", type: "invalid_request_error", code: "unknown_url")

    static let notHTTP = APIError(
        status: 400, message: "The request is not valid HTTP.", type: "invalid_request_error", code: "invalid_http")

    static let headersTooLarge = APIError(
        status: 431, message: "The headers are too long, or too many.", type: "invalid_request_error",
        code: "headers_too_large")

    static let urlTooLong = APIError(
        status: 414, message: "The address is too long.", type: "invalid_request_error", code: "url_too_long")

    static let oneHost = APIError(
        status: 400, message: "A request of HTTP/1.1 has exactly one header “Host”.", type: "invalid_request_error",
        code: "invalid_http")

    static let expectationFailed = APIError(
        status: 417, message: "The header “Expect” may only be “100-continue”.", type: "invalid_request_error",
        code: "expectation_failed")

    static let unknownCoding = APIError(
        status: 501, message: "The header “Transfer-Encoding” may only be “chunked”.", type: "invalid_request_error",
        code: "transfer_encoding_unknown")

    static let requestTimeout = APIError(
        status: 408, message: "The request did not arrive in time.", type: "invalid_request_error",
        code: "request_timeout")

    static func methodNotAllowed(_ allowed: String) -> APIError {
        APIError(
            status: 405, message: "This path takes \(allowed).", type: "invalid_request_error",
            code: "method_not_allowed", allowed: allowed)
    }

    static let invalidKey = APIError(
        status: 401, message: "The API key is missing or not valid.", type: "invalid_request_error",
        code: "invalid_api_key")

    /// While a request ran.
    static let keyEnded = APIError(
        status: 401, message: "The API key was revoked, or has expired.", type: "invalid_request_error",
        code: "invalid_api_key")

    static let accountDisabled = APIError(
        status: 403, message: "This account is disabled.", type: "invalid_request_error", code: "account_disabled")

    static func modelNotFound(_ model: ModelName) -> APIError {
        APIError(
            status: 404, message: "There is no model “\(shown(model))”.", type: "invalid_request_error",
            param: "model", code: "model_not_found")
    }

    static func modelNotAllowed(_ model: ModelName) -> APIError {
        APIError(
            status: 403, message: "You have no access to the model “\(shown(model))”.", type: "invalid_request_error",
            param: "model", code: "model_not_allowed")
    }

    /// A client's text in an answer is cut: it may be megabytes.
    private static func shown(_ model: ModelName) -> String { String(model.rawValue.prefix(200)) }

    static let cancelled = unavailable("The request was cancelled.")

    static func unavailable(_ what: String, retryAfter: Int64 = 2) -> APIError {
        APIError(
            status: 503, message: "\(what) Please try again.", type: "server_error", code: "service_unavailable",
            retryAfter: retryAfter)
    }

    static func rateLimited(retryAfter: Int64) -> APIError {
        APIError(
            status: 429, message: "Too many requests. Try again in \(retryAfter) s.", type: "requests",
            code: "rate_limit_exceeded", retryAfter: retryAfter)
    }

    static func tooManyFailures(retryAfter: Int64) -> APIError {
        var error = rateLimited(retryAfter: retryAfter)
        error.message = "Too many keys from your address were not valid. Try again in \(retryAfter) s."
        return error
    }

    static let idempotencyKeyReused = APIError(
        status: 422, message: "This “Idempotency-Key” was used for another request.", type: "invalid_request_error",
        code: "idempotency_key_reused")

    static let idempotencyInProgress = APIError(
        status: 409, message: "The request with this “Idempotency-Key” is still running.",
        type: "invalid_request_error", code: "idempotency_in_progress", retryAfter: 1)

    /// Repeating it is of no use, and a client that repeats conflicts by itself is told so.
    static let idempotencyNotReplayable = APIError(
        status: 409, message: "The request with this “Idempotency-Key” has run, and its answer was not kept.",
        type: "invalid_request_error", code: "idempotency_not_replayable", shouldRetry: false)

    /// The ledger refused. A client that retries by itself is told not to unless it is worth the wait.
    static func refused(_ refusal: Ledger.Refusal, _ model: ModelName) -> APIError {
        if refusal.reason == .noAccess { return modelNotAllowed(model) }
        let seconds = refusal.retryAfterMs.map { ($0 + 999) / 1000 }
        return APIError(
            status: 429, message: refusal.sentence(seconds), type: "insufficient_quota", code: "insufficient_quota",
            retryAfter: seconds, shouldRetry: (seconds ?? .max) <= worthWaitingSeconds, limitedBy: refusal.limitedBy)
    }

    private static let worthWaitingSeconds: Int64 = 60

    /// What a router reported of its backends.
    static func upstream(_ failure: Router.Failure) -> APIError {
        let retryAfter = failure.retryAfterMs.map { ($0 + 999) / 1000 }
        switch failure.kind {
        case .rejected:
            return APIError(
                status: failure.status ?? 400, message: failure.message,
                type: failure.type ?? "invalid_request_error", param: failure.param, code: failure.code)
        case .rateLimited:
            return APIError(
                status: 429, message: failure.message, type: "requests", code: "upstream_rate_limited",
                retryAfter: retryAfter ?? 1)
        case .noHealthyEndpoint:
            return APIError(
                status: 503, message: failure.message, type: "server_error", code: "no_healthy_endpoint",
                retryAfter: retryAfter ?? 3)
        case .timeout:
            return APIError(status: 504, message: failure.message, type: "server_error", code: "upstream_timeout")
        case .draining: return unavailable("The service is restarting.", retryAfter: 1)
        default:
            return APIError(status: 502, message: failure.message, type: "server_error", code: "upstream_error")
        }
    }
}

extension Ledger.Refusal {
    /// What is left of which budget, what was needed, and what can be done.
    fileprivate func sentence(_ seconds: Int64?) -> String {
        let whose =
            switch limitedBy {
            case .group: "the budget that your group shares"
            case .key: "this API key’s cap"
            default: "your token budget"
            }
        let left = "\(remaining) \(remaining == 1 ? "token is" : "tokens are") left of \(whose)"
        let need = needed.map { ", and the request may need \($0)" } ?? ""
        let hope =
            if let seconds {
                "Enough will have been added in \(Duration.seconds(seconds).inWords)."
            } else if let max, let needed, needed > max {
                "It never holds more than \(max): shorten the request."
            } else {
                "It is not refilled."
            }
        return left.prefix(1).uppercased() + left.dropFirst() + need + ". " + hope
    }
}
