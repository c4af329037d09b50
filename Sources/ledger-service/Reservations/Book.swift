import SharedProtocol

/// The ledger's state in memory: pools, live reservations, who waits, whose lease runs. A value: every method is a step
/// that takes the time and returns what follows from it. What must be durable first goes through `prepareCommit` and takes
/// effect with `concludeCommit`; until then its tokens stay reserved, so that a commit that fails has changed nothing.
///
/// On SQLite there is one, of everything. On PostgreSQL each transaction makes one of the rows that it has locked.
struct Book: Sendable {
    var budgets: Budgets
    var pools: [PoolKey: Pool]
    var nextPool: Int64
    var reservations: [RequestID: Reservation] = [:]
    var ended: EndedRequests
    var lines: [PoolKey: WaitingLine] = [:]
    var waiting: [RequestID: Waiter] = [:]
    var leases = OwnerLeases()
    /// Owners whose names are on disk.
    var savedOwners: Set<InstanceID> = []
    /// Requests that stopped waiting and whose callers are to be told.
    var decided: [RequestID] = []
    /// What is behind on disk.
    var unsaved = Unsaved()
    var committing: Commit?
    /// Of the step that is being taken: milliseconds by a clock that nobody can set.
    var uptime: Int64 = 0
    /// The last commit failed: nothing new is reserved until one succeeds.
    var isStorageFailing = false

    /// How many requests may be live at once; more are told that the ledger is busy.
    static let mostReservations = 200_000

    /// - Parameter pools: as they were stored.
    init(budgets: Budgets = Budgets(), pools: [PoolKey: Pool] = [:]) {
        self.budgets = budgets
        self.pools = pools
        ended = EndedRequests()
        nextPool = (pools.values.map(\.id).max() ?? 0) + 1
    }

    /// Puts other budgets and prices in force. Until now every pool accrued by the budget that it had.
    mutating func follow(_ groups: [GroupName: GroupConfiguration], _ models: [ModelConfiguration], at now: Timestamp) {
        if budgets.follow(groups, models, at: now) { unsaved.areBudgetsBehind = true }
    }

    /// What the account's request for a model draws from; nil: no access.
    func access(
        for account: Ledger.Account, model: ModelName, key: KeyID?, keyCap: TokenCount?
    ) -> Access? {
        Resolver.access(for: account, model: model, key: key, keyCap: keyCap, in: budgets)
    }

    /// Brings the pools of a request up to date; those that are not there begin now.
    mutating func touch(_ access: Access, of account: Ledger.Account, at now: Timestamp) {
        for limit in access.limits {
            let key = limit.pool
            if pools[key] == nil {
                pools[key] = Pool(id: nextPool, clock: budgets.clockStart(of: limit, access.entry, account, at: now))
                nextPool += 1
            }
            adopt(limit.budget, key, at: now)
        }
    }

    /// Brings a pool up to now before one of its reservations ends, under its new budget if that has changed.
    mutating func bringUp(_ key: PoolKey, _ bill: Bill, to now: Timestamp) {
        if let budget = budget(of: key, bill) {
            adopt(budget, key, at: now)
        } else {
            pools[key]?.advance(to: now)
        }
    }

    /// Brings a pool up to now and puts it under a budget, from the moment that this came into force.
    mutating func adopt(_ budget: Budget, _ key: PoolKey, at now: Timestamp) {
        guard let pool = pools[key] else { return }
        if pool.terms != Terms(budget) { unsaved.pools.insert(key) }
        pools[key]?.adopt(budget, at: now, since: budgets.change(after: pool.accrual.until))
    }

    /// The budget in force for the pool of a live request; nil when it has none any more, or the pool is a key's.
    private func budget(of key: PoolKey, _ bill: Bill) -> Budget? {
        switch key.holder {
        case .key: return nil
        case .group(let group): return budgets.groups[group]?.sharedBudget
        case .user:
            let entry = Resolver.entry(for: bill.account, model: bill.model, in: budgets)
            return entry?.pool == key.name ? entry?.budget : nil
        }
    }

    /// A pool as it would be if it were touched now; creates nothing.
    func preview(
        _ limit: Limit, _ entry: BudgetEntry, of account: Ledger.Account, at now: Timestamp
    ) -> Pool {
        var pool =
            pools[limit.pool]
            ?? Pool(id: 0, clock: budgets.clockStart(of: limit, entry, account, at: now))
        pool.adopt(limit.budget, at: now, since: budgets.change(after: pool.accrual.until))
        return pool
    }
}

/// A moment by both clocks: tokens accrue by the wall's, leases run by one that nobody can set.
struct Moment: Sendable {
    var wall: Timestamp
    /// Milliseconds since the machine started.
    var uptime: Int64
}

/// A request that waits for tokens that other live requests hold.
struct Waiter: Sendable {
    var call: Ledger.Reserve
    /// The pools in whose lines it stands: all that it draws from.
    var pools: [PoolKey]
}

/// What the next commit is to write, though no post waits for it.
struct Unsaved: Sendable {
    var pools: Set<PoolKey> = []
    /// Reservations whose row is behind.
    var reservations: Set<RequestID> = []
    /// Reservations that have a row and are no more.
    var goneReservations: Set<RequestID> = []
    /// Reservations that get a row if they live long enough, in the order of their starts, by uptime.
    var young: [(request: RequestID, started: Int64)] = []
    var areBudgetsBehind = false
    var areOwnersBehind = false

    /// Takes the reservations off the list that are old enough for a row.
    mutating func takeOld(at uptime: Int64) -> [RequestID] {
        let count = young.firstIndex { $0.started + Reservation.storedAfter > uptime } ?? young.count
        let old = young[..<count].map(\.request)
        young.removeFirst(count)
        return old
    }

    func isSomethingDue(at uptime: Int64) -> Bool {
        areBudgetsBehind || areOwnersBehind || !pools.isEmpty || !reservations.isEmpty || !goneReservations.isEmpty
            || young.first.map { $0.started + Reservation.storedAfter <= uptime } ?? false
    }
}
