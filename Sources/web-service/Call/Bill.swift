import Logging
import SharedProtocol

/// What one request owes: turns the way it ended into a post or a void.
struct Bill: Sendable {
    let request: RequestID
    let requester: Requester
    let model: ModelName
    /// What the prompt is taken to cost when the backend does not say.
    let prompt: TokenCount
    let started: Answer.Start
    let settler: Settler
    let live: LiveRequests
    let executor: EventLoopExecutor
    private static let log = Logger(label: "call")

    func progressed(_ completion: TokenCount) { live.progressed(request, completion: completion) }

    /// Nothing was produced.
    func void() async { await settler.void(request) }

    /// Bills what was produced, or gives everything back when that is nothing.
    ///
    /// - Parameters:
    ///   - completion: absent when the router went away; then our own count of events is what was produced.
    ///   - events: how many events came through here.
    func settle(
        _ completion: Router.Completion?, isStopped: Bool, events: Int64, firstEventMs: Int64?
    ) async -> Answer.Settlement {
        let outcome = outcome(completion, isStopped: isStopped)
        let failure = failure(completion, isStopped: isStopped)
        let tokens = tokens(completion, events: events)
        guard let tokens else {
            await void()
            log(outcome, completion)
            return Answer.Settlement(outcome: outcome, usage: nil, receipt: nil, failure: failure)
        }
        let usage = Ledger.Usage(
            prompt: tokens.prompt, completion: tokens.completion, isEstimated: tokens.isEstimated,
            endpoint: completion?.endpoint, started: started.time, durationMs: started.elapsedMs(),
            firstTokenMs: firstEventMs, outcome: outcome)
        let receipt = await settler.post(
            Ledger.Post(
                request: request, account: Ledger.Account(requester.person), key: requester.key,
                keyCap: requester.keyCap, source: requester.source, model: model, usage: usage))
        log(outcome, completion)
        return Answer.Settlement(outcome: outcome, usage: usage, receipt: receipt, failure: failure)
    }

    private func outcome(_ completion: Router.Completion?, isStopped: Bool) -> Ledger.Outcome {
        guard let completion else { return isStopped ? .cancelled : .failed }
        if completion.isCancelled { return .cancelled }
        return completion.failure == nil ? .completed : .failed
    }

    private func failure(_ completion: Router.Completion?, isStopped: Bool) -> APIError? {
        guard let completion else {
            return isStopped ? nil : .unavailable("The answer was interrupted.")
        }
        return completion.failure.map { .upstream($0) }
    }

    /// What the backend reported, else an estimate of what it produced; nil when it produced nothing. A request that was
    /// cancelled at its backend has cost its prompt.
    private func tokens(
        _ completion: Router.Completion?, events: Int64
    ) -> (prompt: TokenCount, completion: TokenCount, isEstimated: Bool)? {
        guard let completion else { return events > 0 ? (prompt, TokenCount(events), true) : nil }
        if let usage = completion.usage { return (usage.prompt, usage.completion, false) }
        let produced = max(completion.contentEvents, (completion.contentBytes + 3) / 4)
        let isWhole = completion.failure == nil && !completion.isCancelled
        let wasBegun = completion.isCancelled && completion.endpoint != nil
        return produced > 0 || isWhole || wasBegun ? (prompt, TokenCount(produced), true) : nil
    }

    /// The ledger's line of the same request has what was billed.
    private func log(_ outcome: Ledger.Outcome, _ completion: Router.Completion?) {
        var metadata: Logger.Metadata = [
            "request_id": .string(request.rawValue), "user_id": .stringConvertible(requester.person.id.rawValue),
            "model": .string(model.rawValue), "source": .string(requester.source.rawValue),
            "outcome": .string(outcome.rawValue), "ms": .stringConvertible(started.elapsedMs()),
        ]
        if let failure = completion?.failure { metadata["failure"] = .string(failure.kind.rawValue) }
        Self.log.info("request ended", metadata: metadata)
    }
}
