import HTTPClient
import NIOCore
import SharedProtocol

/// Why an attempt ended before its answer did.
enum AttemptError: Error {
    indirect case failed(AttemptFailure)
    /// Nobody waits for the answer any more.
    case callerLeft

    @inline(never)
    init(_ error: HTTPClientError) {
        self = error == .cancelled ? .callerLeft : .failed(AttemptFailure(error))
    }
}

/// How one endpoint's attempt at a request failed: what the caller reads, what the log reads, and what follows from it.
struct AttemptFailure {
    var failure: Router.Failure
    /// For the operator; no key and no content.
    var detail: String
    /// What it says about the endpoint's health; nil: nothing.
    var cause: HealthState.Cause?
    /// Whether another endpoint may do better.
    var mayMoveOn: Bool
}

extension AttemptFailure {
    /// The connection or the transfer failed.
    init(_ error: HTTPClientError) {
        detail = "\(error)"
        switch error {
        case .timedOut(let phase):
            failure = .timeout
            cause = .connection
            // The time that another endpoint would need has been spent.
            mayMoveOn = phase != .total
        case .connectFailed, .dropped, .tls:
            failure = .upstream
            cause = .connection
            mayMoveOn = true
        case .invalidResponse:
            failure = .upstream
            cause = .replies
            mayMoveOn = true
        case .tooLong, .invalidRequest, .overloaded, .closed, .cancelled, .cannotStart:
            failure = .upstream
            cause = nil
            mayMoveOn = false
        }
    }

    /// What came is not what was asked for.
    @inline(never)
    static func wrongReply(_ detail: String) -> AttemptFailure {
        AttemptFailure(failure: .upstream, detail: detail, cause: .replies, mayMoveOn: true)
    }

    /// What came is more than anyone may send; another endpoint would send as much.
    static func tooLong(_ what: String) -> AttemptFailure {
        AttemptFailure(failure: .upstream, detail: "\(what) is too long", cause: nil, mayMoveOn: false)
    }

    /// A status other than success.
    @inline(never)
    init(_ head: HTTPResponseHead, _ body: ByteBuffer, from endpoint: Endpoint) {
        let status = head.status
        detail = "status \(status)"
        switch status {
        case 400, 413, 415, 422:
            failure = Rejection(body).failure(status: status, scrubbing: endpoint)
            cause = nil
            mayMoveOn = false
        case 429:
            failure = .rateLimited(retryAfterMs: Self.milliseconds(head.retryAfter))
            cause = nil
            mayMoveOn = true
        default:
            failure = .upstream
            cause = .replies
            // Of the other 4xx the request or the operator is the reason.
            mayMoveOn = !(400..<500).contains(status)
        }
    }

    /// The header's delay in seconds; a date is taken for none.
    private static func milliseconds(_ retryAfter: String?) -> Int64? {
        guard let seconds = retryAfter.flatMap(Double.init), seconds >= 0, seconds <= 86_400 else { return nil }
        return Int64((seconds * 1000).rounded(.up))
    }
}

extension Router.Failure {
    /// How long until a model without a healthy endpoint may have one again.
    static let endpointRetryMs: Int64 = 3000

    static let upstream = Router.Failure(.upstream, "The model's backend did not give a proper answer.")
    static let timeout = Router.Failure(.timeout, "The model's backend did not answer in time.")
    static let noHealthyEndpoint = Router.Failure(
        .noHealthyEndpoint, "No backend of this model is available right now.", retryAfterMs: endpointRetryMs)
    static let draining = Router.Failure(.draining, "This router is stopping.")

    static func rateLimited(retryAfterMs: Int64?) -> Router.Failure {
        Router.Failure(
            .rateLimited, "The model's backends have too many requests right now.", retryAfterMs: retryAfterMs)
    }
}
