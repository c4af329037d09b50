import Logging
import SharedProtocol
import Storage

/// Budgets and balances on PostgreSQL: read without a lock, changed alone.
extension SharedLedger {
    /// The groups and prices hold for this ledger at once; that budgets changed is written down as soon as the database
    /// takes it.
    func follow(_ groups: [GroupName: GroupConfiguration], _ models: [ModelConfiguration]) {
        budgets.use(groups, models)
        Task {
            while !isAtEnd {
                do throws(CallError) {
                    return try await change { budgets, now in budgets.follow(groups, models, at: now) }
                } catch {
                    logger.warning("New budgets could not be written down.", metadata: ["code": "\(error.code)"])
                    try? await Task.sleep(for: Self.sweepInterval)
                }
            }
        }
    }

    func setOverride(_ call: Ledger.SetOverride) async throws(CallError) {
        try await change { budgets, now in
            budgets.setOverride(call.budget, for: call.user, PoolName(rawValue: call.pool), at: now)
        }
    }

    func setGroupBudget(_ call: Ledger.SetGroupBudget) async throws(CallError) {
        try await change { budgets, now in try budgets.setGroupBudget(call, at: now) }
    }

    func balances(of account: Ledger.Account) async throws(CallError) -> Ledger.BalanceSheet {
        try await read { book, moment in
            let keys = Set(
                book.budgets.models.flatMap { model in
                    book.access(for: account, model: model.name, key: nil, keyCap: nil)?.limits.map(\.pool) ?? []
                })
            return (keys, { $0.balanceSheet(of: account, at: moment.wall) })
        }
    }

    func groupBudgets() async throws(CallError) -> [Ledger.GroupBudget] {
        try await read { book, moment in
            (Set(book.budgets.groups.keys.map(PoolKey.shared)), { $0.groupBudgets(at: moment.wall) })
        }
    }

    func overrides(of user: UserID) async throws(CallError) -> [Ledger.Override] {
        try await read { _, _ in ([], { $0.overrides(of: user) }) }
    }

    /// Reads some pools, and what a book makes of them.
    private func read<T: Sendable>(
        _ body: @escaping @Sendable (Book, Moment) -> (pools: Set<PoolKey>, answer: (Book) -> T)
    ) async throws(CallError) -> T {
        try await database.read { [budgets] connection in
            let (moment, current) = try budgets.bringUp(connection)
            var book = Book(budgets: current)
            let (keys, answer) = body(book, moment)
            book.pools = try PoolStore.load(keys, connection)
            return answer(book)
        }
    }

    private func change(
        _ body: @escaping @Sendable (inout Budgets, Timestamp) throws -> Bool
    ) async throws(CallError) {
        try await database.write(isolation: .readCommitted) { [budgets] connection in
            try budgets.change(connection, body)
        }
    }
}
