import SharedProtocol

/// Which budget an account has for a model: the one answer that enforcement, refill and every page go by.
///
/// The first that exists: the groups' entries for the model, then the groups' defaults. Users' own overrides will come
/// before both. Of several groups the most generous entry wins. An entry of 0 is an answer too: no access.
enum Resolver {
    /// - Returns: nil when the account has no access to the model.
    static func entry(
        for account: Ledger.Account, model: ModelName, in groups: [GroupName: GroupConfiguration]
    ) -> BudgetEntry? {
        let entry =
            mostGenerous(of: account, in: groups, pool: PoolName(model)) { $0.modelBudgets[model] }
            ?? mostGenerous(of: account, in: groups, pool: .shared, \.defaultBudget)
        return entry.flatMap { $0.budget.max == .tokens(0) ? nil : $0 }
    }

    private static func mostGenerous(
        of account: Ledger.Account, in groups: [GroupName: GroupConfiguration], pool: PoolName,
        _ budget: (GroupConfiguration) -> Budget?
    ) -> BudgetEntry? {
        var best: BudgetEntry?
        for name in account.groups {
            guard let group = groups[name], !group.isDisabled, let budget = budget(group) else { continue }
            let entry = BudgetEntry(pool: pool, group: name, budget: budget)
            if let other = best, !entry.isMoreGenerous(than: other) { continue }
            best = entry
        }
        return best
    }
}

/// A group's budget for one pool.
struct BudgetEntry: Sendable, Equatable {
    var pool: PoolName
    /// The group that it is an entry of.
    var group: GroupName
    var budget: Budget

    /// Unlimited, then the highest maximum, then the highest refresh, then the first by name: one order for everyone.
    func isMoreGenerous(than other: BudgetEntry) -> Bool {
        let (mine, theirs) = (budget.max.tokens ?? .unlimited, other.budget.max.tokens ?? .unlimited)
        if mine != theirs { return mine > theirs }
        if budget.refresh != other.budget.refresh { return budget.refresh > other.budget.refresh }
        return group.rawValue < other.group.rawValue
    }
}

extension TokenCount {
    /// More than any limit.
    fileprivate static let unlimited = TokenCount(.max)
}
