import NIOCore
import SharedProtocol

/// The course of one request over its endpoints: what was tried, how it went, and so what the caller is told.
final class Course {
    let call: Router.Complete
    /// Until something of an answer has reached the caller: then nobody else gets it.
    private(set) var body: RequestBody?
    let started = NIODeadline.now()
    let deadline: NIODeadline
    private(set) var tried: [Endpoint] = []
    private(set) var failures: [AttemptFailure] = []
    private var tally = Tally()
    private var isCancelled = false
    private var isOver = false
    /// The router stops, and has not given the request to anybody.
    private(set) var isRefused = false
    /// Why no further endpoint was given the request.
    private var refusal: Router.Failure?

    /// Throws `invalidParams` when the bytes are no JSON object.
    ///
    /// - Parameters:
    ///   - limit: how long a request may take in all.
    ///   - deadline: when the caller stops waiting.
    @inline(never)
    init(
        _ call: Router.Complete, _ body: ByteBuffer?, within limit: Duration, until deadline: NIODeadline
    ) throws(CallError) {
        self.call = call
        self.body = try RequestBody(body, of: call)
        self.deadline = min(deadline, started + limit.timeAmount)
    }

    var mayTry: Bool { !isOver && tried.count < Completions.attemptLimit }

    /// An endpoint is given the request.
    func begin(_ endpoint: Endpoint) { tried.append(endpoint) }

    func refuse() { isRefused = true }

    /// Something of an answer has reached the caller.
    func hasRelayed() { body = nil }

    /// - Parameter error: nil when the answer came whole.
    @inline(never)
    func end(_ attempt: Attempt, _ error: AttemptError?) {
        tally = attempt.tally
        switch error {
        case nil: isOver = true
        case .callerLeft: leave()
        // A refusal may have been cut short by the caller's leaving.
        case .failed where Task.isCancelled: leave()
        case .failed(let failure): take(failure, attempt.choice)
        }
    }

    /// There is no endpoint for the request, or no room.
    func end(without selection: EndpointDirectory.Selection) {
        isOver = true
        if Task.isCancelled { return leave() }
        switch selection {
        case .resting(let rest):
            let pauseMs = (max(.zero, rest.until - .now()).nanoseconds + 999_999) / 1_000_000
            refusal = rest.isRateLimit ? .rateLimited(retryAfterMs: pauseMs) : .noHealthyEndpoint(retryAfterMs: pauseMs)
        case .tooBusy, .full: refusal = .rateLimited(retryAfterMs: Router.Failure.roomRetryMs)
        case .none, .chosen: break
        }
    }

    private func leave() {
        isCancelled = true
        isOver = true
    }

    private func take(_ failure: AttemptFailure, _ choice: EndpointDirectory.Choice) {
        var failure = failure
        if let cause = failure.cause {
            choice.endpoint.record.failed(cause, choice.admission, at: .now())
        } else if failure.failure.kind == .rejected {
            choice.endpoint.record.succeeded()
        }
        if let pauseMs = failure.pauseMs {
            let isRateLimit = failure.failure.kind == .rateLimited
            choice.endpoint.record.rest(for: .milliseconds(pauseMs), isRateLimit: isRateLimit, at: .now())
        }
        // An endpoint that was known to be out and still cannot be reached is none.
        if choice.isLastResort, failure.cause == .connection, !tally.hasRelayed { failure.failure = .noHealthyEndpoint }
        failures.append(failure)
        isOver = tally.hasRelayed || !failure.mayMoveOn
    }

    var completion: Router.Completion {
        Router.Completion(
            failure: failure, isCancelled: isCancelled, endpoint: tried.last?.configuration.url, usage: tally.usage,
            contentEvents: tally.contentEvents, contentBytes: tally.contentBytes)
    }

    /// Only when all that were tried have too many requests does the caller hear that; else what else went wrong counts.
    private var failure: Router.Failure? {
        let hasAnswered = failures.count < tried.count
        if isCancelled || hasAnswered { return nil }
        let all = (refusal.map { [$0] } ?? []) + failures.map(\.failure)
        if let other = all.last(where: { $0.kind != .rateLimited }) { return other }
        if all.isEmpty { return .noHealthyEndpoint }
        return .rateLimited(retryAfterMs: all.compactMap(\.retryAfterMs).min())
    }
}
