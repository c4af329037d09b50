import HTTPClient
import NIOCore
import SharedProtocol

/// The course of one request over its endpoints: what was tried, how it went, and so what the caller is told.
struct Course {
    let started = NIODeadline.now()
    private(set) var tried: [Endpoint] = []
    private(set) var failures: [AttemptFailure] = []
    private var tally = Tally()
    private var isCancelled = false
    private var isOver = false

    var mayTry: Bool { !isOver && tried.count < Completions.attemptLimit }

    mutating func follow(
        _ attempt: Attempt, _ choice: EndpointDirectory.Choice, _ body: RequestBody, until deadline: NIODeadline
    ) async {
        tried.append(choice.endpoint)
        tally = Tally()
        let left = deadline - .now()
        if left <= .zero { return take(AttemptFailure(.timedOut(.total)), choice) }
        do throws(AttemptError) {
            let bytes = body.bytes(for: choice.endpoint)
            try await attempt.run(bytes, within: .nanoseconds(left.nanoseconds), &tally)
            isOver = true
        } catch {
            switch error {
            case .callerLeft: leave()
            // A refusal may have been cut short by the caller's leaving.
            case .failed where Task.isCancelled: leave()
            case .failed(let failure): take(failure, choice)
            }
        }
    }

    private mutating func leave() {
        isCancelled = true
        isOver = true
    }

    private mutating func take(_ failure: AttemptFailure, _ choice: EndpointDirectory.Choice) {
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
