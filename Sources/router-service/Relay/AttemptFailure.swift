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
    /// For how long the backend wants no requests, in milliseconds.
    var pauseMs: Int64?
    /// The configuration of the endpoint is at fault: its address, its key, its model's name.
    var isOperatorsError = false
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
        // The endpoint's address or key cannot be sent.
        case .invalidRequest:
            failure = .upstream
            cause = .connection
            mayMoveOn = true
            isOperatorsError = true
        case .tooLong, .overloaded, .closed, .cancelled, .cannotStart:
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

    /// The endpoint went out while this request waited for its first byte.
    static let wentOut = AttemptFailure(
        failure: .upstream, detail: "the endpoint went out meanwhile", cause: nil, mayMoveOn: true)

    /// The time for the request was over before this endpoint got it.
    static let tooLate = AttemptFailure(
        failure: .timeout, detail: "no time was left for another endpoint", cause: nil, mayMoveOn: false)

    /// The backend refuses the request for its own faults.
    static func rejected(_ rejection: Rejection, status: Int, by endpoint: Endpoint) -> AttemptFailure {
        AttemptFailure(
            failure: rejection.failure(status: status, scrubbing: endpoint), detail: "status \(status)", cause: nil,
            mayMoveOn: false)
    }

    /// A status that is neither success nor a refusal of the request.
    @inline(never)
    init(_ head: HTTPResponseHead) {
        let status = head.status
        detail = "status \(status)"
        let pauseMs = head.retryDelay.map { Int64(($0 / .milliseconds(1)).rounded(.up)) }
        if status == 429 {
            failure = .rateLimited(retryAfterMs: pauseMs)
            cause = nil
            mayMoveOn = true
        } else {
            failure = .upstream
            cause = .replies
            // Of the other 4xx the request or the operator is the reason.
            mayMoveOn = !(400..<500).contains(status)
        }
        isOperatorsError = [401, 403, 404, 405, 407].contains(status)
        self.pauseMs = status == 429 || status == 503 ? pauseMs : nil
    }
}

extension Router.Failure {
    /// How long until a model without a healthy endpoint may have one again.
    static let endpointRetryMs: Int64 = 3000

    /// How long until a model whose endpoints are full may have room again.
    static let roomRetryMs: Int64 = 1000

    static let upstream = Router.Failure(.upstream, "The model's backend did not give a proper answer.")
    static let timeout = Router.Failure(.timeout, "The model's backend did not answer in time.")
    static let noHealthyEndpoint = noHealthyEndpoint(retryAfterMs: endpointRetryMs)
    static let draining = Router.Failure(.draining, "This router is stopping.")

    static func noHealthyEndpoint(retryAfterMs: Int64) -> Router.Failure {
        Router.Failure(
            .noHealthyEndpoint, "No backend of this model is available right now.", retryAfterMs: retryAfterMs)
    }

    static func rateLimited(retryAfterMs: Int64?) -> Router.Failure {
        Router.Failure(
            .rateLimited, "The model's backends have too many requests right now.", retryAfterMs: retryAfterMs)
    }
}
