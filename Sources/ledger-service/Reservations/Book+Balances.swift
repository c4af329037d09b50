import SharedProtocol

extension Book {
    /// The account's pools as they are now, the default one first, and the active models that it may use.
    func balanceSheet(of account: Ledger.Account, at now: Timestamp) -> Ledger.BalanceSheet {
        var pools: [Ledger.Pool] = []
        var access: [Ledger.ModelAccess] = []
        var seen: Set<PoolKey> = []
        for model in budgets.models where model.isActive {
            guard let found = self.access(for: account, model: model.name, key: nil, keyCap: nil) else { continue }
            access.append(Ledger.ModelAccess(model: model.name, pool: found.entry.pool.rawValue))
            for limit in found.limits where seen.insert(limit.pool).inserted {
                let line = balance(of: limit, found.entry, account, at: now)
                pools.insert(line, at: limit.pool.name == .general ? 0 : pools.count)
            }
        }
        return Ledger.BalanceSheet(pools: pools, models: access)
    }

    /// Every group's budgets, by name, and what its members share.
    func groupBudgets(at now: Timestamp) -> [Ledger.GroupBudget] {
        budgets.groups.values.sorted { $0.name.rawValue < $1.name.rawValue }.map { group in
            var entries = group.modelBudgets.sorted { $0.key.rawValue < $1.key.rawValue }
                .map { Ledger.Override(pool: $0.key.rawValue, budget: $0.value) }
            if let budget = group.defaultBudget {
                entries.insert(Ledger.Override(pool: PoolName.general.rawValue, budget: budget), at: 0)
            }
            return Ledger.GroupBudget(
                group: group.name, isDisabled: group.isDisabled, budgets: entries,
                shared: group.sharedBudget.map { sharedBalance(of: group.name, $0, at: now) },
                isLocked: budgets.file[group.name] != nil, sharedBudget: group.sharedBudget)
        }
    }

    /// The budgets that a user has been given of their own, by the pools' names.
    func overrides(of user: UserID) -> [Ledger.Override] {
        (budgets.overrides[user] ?? [:]).sorted { $0.key.rawValue < $1.key.rawValue }
            .map { Ledger.Override(pool: $0.key.rawValue, budget: $0.value.budget) }
    }

    mutating func setOverride(_ call: Ledger.SetOverride, at now: Timestamp) {
        if budgets.setOverride(call.budget, for: call.user, PoolName(rawValue: call.pool), at: now) {
            unsaved.areBudgetsBehind = true
        }
    }

    mutating func setGroupBudget(_ call: Ledger.SetGroupBudget, at now: Timestamp) throws(CallError) {
        if try budgets.setGroupBudget(call, at: now) { unsaved.areBudgetsBehind = true }
    }

    /// Sets a pool to what it begins with.
    mutating func reset(_ target: Ledger.Reset.Target, at now: Timestamp) throws(CallError) {
        guard let limit = limit(target), pools[limit.pool] != nil else {
            throw CallError(.notFound, "Nobody has drawn from this pool yet.")
        }
        adopt(limit.budget, limit.pool, at: now)
        pools[limit.pool]?.reset(to: limit.budget.starting)
        unsaved.pools.insert(limit.pool)
        serveLines(of: [limit.pool], at: now)
    }

    /// The pool that a reset is about, and its budget; nil when there is none.
    func limit(_ target: Ledger.Reset.Target) -> Limit? {
        switch target {
        case .group(let group):
            return budgets.groups[group]?.sharedBudget.map { Limit(pool: .shared(group), budget: $0) }
        case .user(let account, let pool):
            let entry = Resolver.entry(for: account, model: ModelName(pool), in: budgets)
            guard let entry, entry.pool.rawValue == pool else { return nil }
            return Limit(pool: .user(account.user, entry.pool), budget: entry.budget)
        }
    }

    private func sharedBalance(of group: GroupName, _ budget: Budget, at now: Timestamp) -> Ledger.Pool {
        let nobody = Ledger.Account(user: UserID(0), groups: [], created: now)
        let entry = BudgetEntry(pool: .general, group: group, budget: budget)
        return balance(of: Limit(pool: .shared(group), budget: budget), entry, nobody, at: now)
    }

    private func balance(
        of limit: Limit, _ entry: BudgetEntry, _ account: Ledger.Account, at now: Timestamp
    ) -> Ledger.Pool {
        let pool = preview(limit, entry, of: account, at: now)
        let max = limit.budget.max.tokens
        let holder = limit.pool.holder.limitedBy
        let name = holder == .group ? entry.group?.rawValue ?? "" : entry.pool.rawValue
        return Ledger.Pool(
            holder: holder, name: name, balance: max == nil ? nil : pool.balance, reserved: pool.reserved, max: max,
            refresh: limit.budget.refresh, starting: limit.budget.starting, group: entry.group)
    }
}
