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
    /// Why no further endpoint was given the request.
    private var refusal: Router.Failure?

    var mayTry: Bool { !isOver && tried.count < Completions.attemptLimit }

    mutating func follow(
        _ attempt: Attempt, _ choice: EndpointDirectory.Choice, _ body: RequestBody, until deadline: NIODeadline
    ) async {
        tried.append(choice.endpoint)
        tally = Tally()
        let left = deadline - .now()
        if left <= .zero { return take(.tooLate, choice) }
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

    /// There is no endpoint for the request, or no room.
    mutating func end(without selection: EndpointDirectory.Selection) {
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

    private mutating func leave() {
        isCancelled = true
        isOver = true
    }

    private mutating func take(_ failure: AttemptFailure, _ choice: EndpointDirectory.Choice) {
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
