import NIOConcurrencyHelpers
import NIOCore
import SharedProtocol

/// A model's answer while it comes. Whoever holds it reads until there is nothing more; the end is given out only after the
/// bill is durable. An answer that is let go unread is stopped and billed all the same.
final class Answer: Sendable {
    /// When a request began, by the clock for records and by the one for measuring.
    struct Start: Sendable {
        let time = Timestamp.now()
        let clock = NIODeadline.now()

        func elapsedMs() -> Int64 { (NIODeadline.now() - clock).nanoseconds / 1_000_000 }
    }

    /// How it ended and what it cost.
    struct Settlement: Sendable {
        var outcome: Ledger.Outcome
        var usage: Ledger.Usage?
        /// Absent while the ledger is away: the bill is kept and delivered later.
        var receipt: Ledger.Receipt?
        /// What the client may be told, when it did not come whole.
        var failure: APIError?
    }

    private struct State {
        var events: Int64 = 0
        var firstEventMs: Int64?
        var isStopped = false
        /// On the heap, because it is large, and absent for as long as a stream runs.
        var end: End?
    }

    private final class End: Sendable {
        let settlement: Settlement

        init(_ settlement: Settlement) { self.settlement = settlement }
    }

    /// The limit per output, when it was lowered to what the budget held, and what limited it.
    let loweredLimit: (limit: TokenCount, by: Ledger.LimitedBy)?
    private let stream: RouterStream
    private let bill: Bill
    private let run: RunningRequest
    private let state = NIOLockedValueBox(State())

    init(
        _ stream: RouterStream, _ bill: Bill, _ grant: Ledger.Grant, asked: TokenCount, _ run: RunningRequest
    ) {
        self.stream = stream
        self.bill = bill
        self.run = run
        loweredLimit = grant.outputLimit < asked ? (grant.outputLimit, grant.limitedBy ?? .user) : nil
    }

    deinit {
        let (stream, bill, state) = (stream, bill, state.withLockedValue { $0 })
        if state.end != nil { return }
        // Nobody is left who could wait for the end: a task of its own reads on to the last count and bills it.
        Task(executorPreference: bill.executor) {
            stream.cancel()
            var events = state.events
            while let more = try? await stream.next(), !more.isEmpty { events += Int64(more.count) }
            _ = await bill.settle(
                try? stream.completion, isStopped: true, events: events, firstEventMs: state.firstEventMs)
        }
    }

    var request: RequestID { bill.request }

    /// What has arrived: events of the backend, as they came; empty at the end, after the bill is durable.
    func next() async -> [ByteBuffer] {
        if isSettled { return [] }
        if let events = try? await stream.next(), !events.isEmpty {
            count(events)
            return events
        }
        await settleOnce()
        return []
    }

    @inline(never)
    private var isSettled: Bool { state.withLockedValue { $0.end != nil } }

    /// Un-cancelled, and awaited: a task that was cancelled because the client left must still bill what was produced.
    @inline(never)
    private func settleOnce() async { await Task(executorPreference: bill.executor) { await self.settle() }.value }

    /// Cancels the request at its backend at once; `next()` then soon gives nothing more.
    func stop() {
        state.withLockedValue { $0.isStopped = true }
        stream.cancel()
    }

    /// Once `next()` has returned nothing.
    var settlement: Settlement {
        guard let end = state.withLockedValue({ $0.end }) else {
            preconditionFailure("an answer is settled when it has been read to its end")
        }
        return end.settlement
    }

    /// The failure of a request that ended before its first event, with nothing billed. One that was billed, because its
    /// backend counted tokens all the same, has an answer, without events.
    func failureBeforeAnyEvent() async -> Router.Failure? {
        guard stream.hasEndedUnread, let completion = try? stream.completion, let failure = completion.failure else {
            return nil
        }
        _ = await next()
        return settlement.usage == nil ? failure : nil
    }

    @inline(never)
    private func count(_ events: [ByteBuffer]) {
        let total = state.withLockedValue { state in
            state.events += Int64(events.count)
            if state.firstEventMs == nil { state.firstEventMs = bill.started.elapsedMs() }
            return state.events
        }
        bill.progressed(TokenCount(total))
    }

    private func settle() async {
        let (isStopped, events, firstEventMs) = state.withLockedValue { ($0.isStopped, $0.events, $0.firstEventMs) }
        var settlement = await bill.settle(
            try? stream.completion, isStopped: isStopped, events: events, firstEventMs: firstEventMs)
        if settlement.outcome == .cancelled { settlement.failure = run.failure ?? settlement.failure }
        state.withLockedValue { $0.end = End(settlement) }
    }
}
