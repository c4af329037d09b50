import Logging
import ServiceLifecycle
import SharedProtocol
import Storage
import Synchronization

/// The ledger on PostgreSQL, of which several may share the rows. Calls that arrive while one transaction runs go together
/// into the next; each locks the rows that it is about, takes the steps of a `Book` on them, and is answered when it is
/// committed. The time is the database's.
final class SharedLedger: LedgerEngine, Service {
    /// Calls that may wait for a transaction; more are told that the ledger is busy.
    static let longestQueue = 16_384
    /// Calls of one transaction.
    static let largestBatch = 512
    /// How often waiting reserves are tried again, for tokens that come back through another ledger.
    static let retryInterval = Duration.milliseconds(50)
    /// How often leases of dead owners are looked for.
    static let sweepInterval = Duration.seconds(1)

    struct Pending: Sendable {
        var operation: SharedOperation
        /// Until when a reserve may wait for tokens that others hold.
        var waitsUntil = ContinuousClock.now + Book.longestWait
        var caller: CheckedContinuation<SharedOperation.Outcome, Never>
    }

    private struct State {
        var queue: [Pending] = []
        /// Reserves that lack only what others hold, in the order of their arrival.
        var waiting: [Pending] = []
        var isRetryDue = false
        var isSweepDue = false
        var isStopping = false
        var isFailing = false
        var worker: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())
    let budgets: BudgetCache
    let database: ServiceDatabase
    let logger: Logger

    /// - Parameter clock: instead of the database's.
    init(_ database: ServiceDatabase, clock: (@Sendable () -> Moment)? = nil, logger: Logger) {
        self.database = database
        self.logger = logger
        budgets = BudgetCache(clock: clock)
    }

    var services: [any Service] { [self] }

    /// Reserves that wait for tokens that others hold.
    var waitingCount: Int { state.withLock(\.waiting.count) }

    var isAtEnd: Bool { state.withLock(\.isStopping) }

    var problems: [String] { state.withLock(\.isFailing) ? [Book.storageIsFailing.message] : [] }

    func run() async throws {
        await withTaskCancellationOrGracefulShutdownHandler {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.tick() }
                while let batch = await self.nextBatch() { await self.perform(batch.calls, endingLeases: batch.sweeps) }
                group.cancelAll()
            }
        } onCancelOrGracefulShutdown: {
            self.wake { $0.isStopping = true }
        }
    }

    /// Sees to it that what waits, or is left behind, has its turn without a call.
    private func tick() async {
        var sinceSweep = Duration.zero
        while (try? await Task.sleep(for: Self.retryInterval)) != nil {
            sinceSweep += Self.retryInterval
            wake { $0.isRetryDue = !$0.waiting.isEmpty }
            guard sinceSweep >= Self.sweepInterval else { continue }
            sinceSweep = .zero
            sweep()
        }
    }

    /// Has the next transaction end what dead owners left behind.
    func sweep() { wake { $0.isSweepDue = true } }

    // What goes into the next transaction.

    private func nextBatch() async -> (calls: [Pending], sweeps: Bool)? {
        await withCheckedContinuation { worker in
            let isReady = state.withLock { state in
                let isReady = !state.queue.isEmpty || state.isRetryDue || state.isSweepDue || state.isStopping
                if !isReady { state.worker = worker }
                return isReady
            }
            if isReady { worker.resume() }
        }
        return state.withLock { state in
            guard !state.queue.isEmpty || !state.isStopping else {
                for pending in state.waiting { pending.answer(.decided(.failed(Self.isStopping))) }
                state.waiting = []
                return nil
            }
            // Those that waited come first.
            let new = state.queue.prefix(Self.largestBatch)
            state.queue.removeFirst(new.count)
            defer {
                state.waiting = []
                state.isRetryDue = false
                state.isSweepDue = false
            }
            return (state.waiting + new, state.isSweepDue)
        }
    }

    private func perform(_ calls: [Pending], endingLeases: Bool) async {
        let now = ContinuousClock.now
        let operations = calls.map { $0.operation.waiting(now < $0.waitsUntil) }
        do throws(CallError) {
            let result = try await transaction(operations, endingLeases: endingLeases)
            state.withLock { $0.isFailing = false }
            conclude(calls, result)
        } catch {
            state.withLock { $0.isFailing = true }
            for pending in calls { pending.answer(.failed(pending.operation, error)) }
        }
    }

    private func conclude(_ calls: [Pending], _ result: Slice.Result) {
        var waiting: [Pending] = []
        for (pending, outcome) in zip(calls, result.outcomes) {
            if case .decided(.waiting) = outcome { waiting.append(pending) } else { pending.answer(outcome) }
        }
        for settlement in result.commit.settlements { logger.log(settlement) }
        state.withLock { $0.waiting = waiting + $0.waiting }
    }

    private func transaction(
        _ operations: [SharedOperation], endingLeases: Bool
    ) async throws(CallError) -> Slice.Result {
        try await database.write(isolation: .readCommitted) { [budgets] connection in
            let (moment, current) = try budgets.bringUp(connection)
            try OwnerStore.renew(operations, at: moment, connection)
            var slice = try Slice(operations, current, at: moment, endingLeases: endingLeases, connection)
            let result = slice.perform(operations)
            try slice.write(result, connection)
            if endingLeases { try OwnerStore.removeDead(at: moment, connection) }
            return result
        }
    }

    // MARK: Calls

    private func enqueue(_ operation: SharedOperation) async -> SharedOperation.Outcome {
        await withCheckedContinuation { caller in
            let refusal = wake { state -> CallError? in
                guard !state.isStopping else { return Self.isStopping }
                guard state.queue.count < Self.longestQueue else { return Book.isBusy }
                state.queue.append(Pending(operation: operation, caller: caller))
                return nil
            }
            if let refusal { caller.resume(returning: .failed(operation, refusal)) }
        }
    }

    func reserve(_ call: Ledger.Reserve) async throws(CallError) -> Ledger.Decision {
        switch await enqueue(.reserve(call, mayWait: true)) {
        case .decided(.decided(let decision)): return decision
        case .decided(.failed(let error)): throw error
        default: throw Self.isUndecided
        }
    }

    func post(_ call: Ledger.Post) async throws(CallError) -> Ledger.Receipt {
        guard case .billed(let result) = await enqueue(.post(call)) else { throw Self.isUndecided }
        return try result.get()
    }

    func void(_ request: RequestID) async throws(CallError) -> Reservation? {
        guard case .voided(let result) = await enqueue(.void(request)) else { throw Self.isUndecided }
        return try result.get()
    }

    func renew(_ call: Ledger.Renew) async throws(CallError) { try await done(.renew(call)) }

    /// Every reservation is on disk here; what its owner says again is its progress.
    func assert(_ call: Ledger.Assert) async throws(CallError) {
        try await done(.renew(Ledger.Renew(owner: call.owner, progress: call.reservations.map(\.progress))))
    }

    func reset(_ target: Ledger.Reset.Target) async throws(CallError) { try await done(.reset(target)) }

    private func done(_ operation: SharedOperation) async throws(CallError) {
        guard case .done(let error) = await enqueue(operation) else { throw Self.isUndecided }
        if let error { throw error }
    }

    /// What was answered is on disk.
    func save() {}

    @discardableResult
    private func wake<T: Sendable>(_ change: (inout State) -> T) -> T {
        let (result, worker) = state.withLock { state in
            let result = change(&state)
            let isReady = !state.queue.isEmpty || state.isRetryDue || state.isSweepDue || state.isStopping
            guard isReady else { return (result, CheckedContinuation<Void, Never>?.none) }
            defer { state.worker = nil }
            return (result, state.worker)
        }
        worker?.resume()
        return result
    }

    static let isStopping = CallError(.unavailable, "The ledger is stopping.")
    private static let isUndecided = CallError(.internalError, "The call was not decided.")
}

extension SharedLedger.Pending {
    fileprivate func answer(_ outcome: SharedOperation.Outcome) { caller.resume(returning: outcome) }
}

extension SharedOperation {
    /// A reserve that has waited long enough is decided with what there is.
    fileprivate func waiting(_ mayWait: Bool) -> SharedOperation {
        guard case .reserve(let call, _) = self else { return self }
        return .reserve(call, mayWait: mayWait)
    }
}
