import SharedProtocol

/// Which budget an account has for a model: the one answer that enforcement, refill and every page go by.
///
/// The first that exists: the user's own override for the model, the user's own default override, the groups' entries for
/// the model, the groups' defaults. Of several groups the most generous entry wins. An entry of 0 is an answer too: no
/// access. A pool that the chosen group's members share is a second limit, and a key's cap a third.
enum Resolver {
    /// - Returns: nil when the account has no access to the model.
    static func entry(for account: Ledger.Account, model: ModelName, in budgets: Budgets) -> BudgetEntry? {
        let entry =
            override(of: account, PoolName(model), in: budgets)
            ?? override(of: account, .general, in: budgets)
            ?? mostGenerous(of: account, in: budgets, pool: PoolName(model)) { $0.modelBudgets[model] }
            ?? mostGenerous(of: account, in: budgets, pool: .general, \.defaultBudget)
        return entry.flatMap { $0.budget.max == .tokens(0) ? nil : $0 }
    }

    /// All pools that a request must fit, the personal one first; nil when the account has no access to the model.
    static func access(
        for account: Ledger.Account, model: ModelName, key: KeyID?, keyCap: TokenCount?, in budgets: Budgets
    ) -> Access? {
        guard let entry = entry(for: account, model: model, in: budgets) else { return nil }
        var limits = [Limit(pool: .user(account.user, entry.pool), budget: entry.budget)]
        if let group = entry.group, let shared = budgets.groups[group]?.sharedBudget {
            if shared.max == .tokens(0) { return nil }
            limits.append(Limit(pool: .shared(group), budget: shared))
        }
        if let key, let keyCap {
            limits.append(Limit(pool: .cap(key), budget: Budget(max: .tokens(keyCap), refresh: 0, starting: keyCap)))
        }
        return Access(entry: entry, limits: limits)
    }

    private static func override(of account: Ledger.Account, _ pool: PoolName, in budgets: Budgets) -> BudgetEntry? {
        budgets.overrides[account.user]?[pool].map { BudgetEntry(pool: pool, group: nil, budget: $0.budget) }
    }

    private static func mostGenerous(
        of account: Ledger.Account, in budgets: Budgets, pool: PoolName, _ budget: (GroupConfiguration) -> Budget?
    ) -> BudgetEntry? {
        var best: BudgetEntry?
        for name in account.groups {
            guard let group = budgets.groups[name], !group.isDisabled, let budget = budget(group) else { continue }
            let entry = BudgetEntry(pool: pool, group: name, budget: budget)
            if let other = best, !entry.isMoreGenerous(than: other) { continue }
            best = entry
        }
        return best
    }
}

/// What an account's request for a model draws from.
struct Access: Sendable, Equatable {
    var entry: BudgetEntry
    /// The personal pool first; then the group's and the key's, where there are such.
    var limits: [Limit]
}

/// A pool that a request must fit, and what it goes by.
struct Limit: Sendable, Equatable {
    var pool: PoolKey
    var budget: Budget
}

/// The budget that was chosen for one pool.
struct BudgetEntry: Sendable, Equatable {
    var pool: PoolName
    /// The group that it is an entry of; nil for a user's own override.
    var group: GroupName?
    var budget: Budget

    /// Unlimited, then the highest maximum, then the highest refresh, then the first by name: one order for everyone.
    func isMoreGenerous(than other: BudgetEntry) -> Bool {
        let (mine, theirs) = (budget.max.tokens ?? .unlimited, other.budget.max.tokens ?? .unlimited)
        if mine != theirs { return mine > theirs }
        if budget.refresh != other.budget.refresh { return budget.refresh > other.budget.refresh }
        return (group?.rawValue ?? "") < (other.group?.rawValue ?? "")
    }
}

extension TokenCount {
    /// More than any limit.
    fileprivate static let unlimited = TokenCount(.max)
}
