import NIOCore
import SharedProtocol

/// The course of one request over its endpoints: what was tried, how it went, and so what the caller is told.
final class Course {
    let call: Router.Complete
    let body: RequestBody
    let started = NIODeadline.now()
    let deadline: NIODeadline
    private(set) var tried: [Endpoint] = []
    private(set) var failures: [AttemptFailure] = []
    private var tally = Tally()
    private var isCancelled = false
    private var isOver = false

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

    /// An endpoint has been chosen for the next attempt.
    func begin(_ attempt: Attempt) { tried.append(attempt.endpoint) }

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
        attempt.endpoint.record.release(attempt.choice.admission)
    }

    private func leave() {
        isCancelled = true
        isOver = true
    }

    private func take(_ failure: AttemptFailure, _ choice: EndpointDirectory.Choice) {
        var failure = failure
        if let cause = failure.cause {
            _ = choice.endpoint.record.failed(cause, at: .now())
        } else if failure.failure.kind == .rejected {
            choice.endpoint.record.succeeded()
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
        if isCancelled || failures.count < tried.count { return nil }
        if let other = failures.last(where: { $0.failure.kind != .rateLimited }) { return other.failure }
        if failures.isEmpty { return .noHealthyEndpoint }
        return .rateLimited(retryAfterMs: failures.compactMap(\.failure.retryAfterMs).min())
    }
}
