import SharedProtocol

/// The ledger's whole state in memory: pools, live reservations, who waits, whose lease runs. A value: every method is a
/// step that takes the time and returns what follows from it. What must be durable first goes through `prepareCommit`
/// and takes effect with `concludeCommit`; until then its tokens stay reserved, so that a commit that fails has changed
/// nothing.
///
/// Limits that are not a user's own pool (shared pools of groups, lifetime caps of keys) will join a reservation as
/// further pools of one request.
struct Book: Sendable {
    var groups: [GroupName: GroupConfiguration] = [:]
    var models: [ModelConfiguration] = []
    var clocks: BudgetClocks
    /// The stored clocks are not these.
    var areClocksUnsaved = false
    var pools: [PoolKey: Pool]
    var nextPool: Int64
    /// Pools whose row is behind, though no post waits for it.
    var unsavedPools: Set<PoolKey> = []
    var reservations: [RequestID: Reservation] = [:]
    var ended: EndedRequests
    var lines: [PoolKey: WaitingLine] = [:]
    /// Which pool's line a waiting request stands in.
    var waiting: [RequestID: PoolKey] = [:]
    var leases = OwnerLeases()
    /// Requests that stopped waiting and whose callers are to be told.
    var decided: [RequestID] = []
    var committing: Commit?
    /// The last commit failed: nothing new is reserved until one succeeds.
    var isStorageFailing = false

    /// How many requests may be live at once; more are told that the ledger is busy.
    static let mostReservations = 200_000

    /// - Parameter pools: as they were stored. What was reserved then is free again: reservations live in memory.
    init(pools: [PoolKey: Pool] = [:], clocks: BudgetClocks = BudgetClocks()) {
        self.pools = pools
        self.clocks = clocks
        ended = EndedRequests()
        nextPool = (pools.values.map(\.id).max() ?? 0) + 1
        for (key, pool) in pools where pool.reserved > 0 {
            self.pools[key]?.settle(held: pool.reserved, charged: 0)
            unsavedPools.insert(key)
        }
    }

    /// Whether something is to be written that no post waits for.
    var hasUnsaved: Bool { areClocksUnsaved || !unsavedPools.isEmpty }

    /// Puts other budgets and prices in force. Until now every pool accrued by the budget that it had.
    mutating func follow(_ groups: [GroupName: GroupConfiguration], _ models: [ModelConfiguration], at now: Timestamp) {
        self.groups = groups
        self.models = models
        guard clocks.follow(groups, at: now) else { return }
        areClocksUnsaved = true
        for key in pools.keys { pools[key]?.suspendTerms(at: now) }
        unsavedPools.formUnion(pools.keys)
    }

    /// The pool that pays for the model, up to date; it begins now if it is not there. Nil: no access.
    mutating func touchPool(for account: Ledger.Account, model: ModelName, at now: Timestamp) -> (PoolKey, BudgetEntry)?
    {
        guard let entry = Resolver.entry(for: account, model: model, in: groups) else { return nil }
        let key = PoolKey(user: account.user, name: entry.pool)
        if pools[key] == nil {
            pools[key] = Pool(id: nextPool, clock: clockStart(account, entry, now))
            nextPool += 1
        }
        if pools[key]?.terms != Terms(entry.budget) { unsavedPools.insert(key) }
        pools[key]?.adopt(entry.budget, at: now)
        return (key, entry)
    }

    /// Brings a pool up to now before one of its reservations ends, under its new budget if that has changed.
    mutating func bringUp(_ key: PoolKey, _ bill: Bill, to now: Timestamp) {
        if pools[key]?.terms == nil, let entry = Resolver.entry(for: bill.account, model: bill.model, in: groups),
            entry.pool == key.name
        {
            pools[key]?.adopt(entry.budget, at: now)
            unsavedPools.insert(key)
        } else {
            pools[key]?.advance(to: now)
        }
    }

    /// The pool as it would be if it were touched now; creates nothing.
    func preview(_ entry: BudgetEntry, of account: Ledger.Account, at now: Timestamp) -> Pool {
        let existing = pools[PoolKey(user: account.user, name: entry.pool)]
        var pool = existing ?? Pool(id: 0, clock: clockStart(account, entry, now))
        pool.adopt(entry.budget, at: now)
        return pool
    }

    func price(of model: ModelName) -> Price {
        models.first { $0.name == model }.map { Price(input: $0.inputPrice, output: $0.outputPrice) } ?? .free
    }

    private func clockStart(_ account: Ledger.Account, _ entry: BudgetEntry, _ now: Timestamp) -> Timestamp {
        max(account.created, clocks.since(entry) ?? now)
    }
}

/// A moment by both clocks: tokens accrue by the wall's, leases run by one that nobody can set.
struct Moment: Sendable {
    var wall: Timestamp
    /// Milliseconds since the machine started.
    var uptime: Int64
}
