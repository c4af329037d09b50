import SharedProtocol

extension Book {
    /// The account's pools as they are now, the default one first, and the active models that it may use.
    func balanceSheet(of account: Ledger.Account, at now: Timestamp) -> Ledger.BalanceSheet {
        var pools: [Ledger.Pool] = []
        var access: [Ledger.ModelAccess] = []
        for model in models where model.isActive {
            guard let entry = Resolver.entry(for: account, model: model.name, in: groups) else { continue }
            access.append(Ledger.ModelAccess(model: model.name, pool: entry.pool.rawValue))
            guard !pools.contains(where: { $0.name == entry.pool.rawValue }) else { continue }
            let line = balance(of: entry, account, at: now)
            pools.insert(line, at: entry.pool == .shared ? 0 : pools.count)
        }
        return Ledger.BalanceSheet(pools: pools, models: access)
    }

    private func balance(of entry: BudgetEntry, _ account: Ledger.Account, at now: Timestamp) -> Ledger.Pool {
        let pool = preview(entry, of: account, at: now)
        let max = entry.budget.max.tokens
        return Ledger.Pool(
            name: entry.pool.rawValue, balance: max == nil ? nil : pool.balance, reserved: pool.reserved, max: max,
            refresh: entry.budget.refresh, group: entry.group)
    }
}
