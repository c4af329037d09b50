import SharedProtocol

/// Since when each group's budgets accrue: a pool's clock starts when the user or the entry came to be, whichever is
/// later. Time in which an entry gave no refill does not count.
struct BudgetClocks: Sendable, Equatable {
    struct Key: Hashable, Sendable {
        var group: GroupName
        var pool: PoolName
    }

    struct Clock: Sendable, Equatable {
        var budget: Budget
        var since: Timestamp
    }

    private(set) var clocks: [Key: Clock]

    init(_ clocks: [Key: Clock] = [:]) { self.clocks = clocks }

    func since(_ entry: BudgetEntry) -> Timestamp? {
        clocks[Key(group: entry.group, pool: entry.pool)]?.since
    }

    /// Takes over the budgets of `groups`, from `now` on.
    ///
    /// - Returns: whether any budget is another than before.
    mutating func follow(_ groups: [GroupName: GroupConfiguration], at now: Timestamp) -> Bool {
        var new: [Key: Clock] = [:]
        for (name, group) in groups where !group.isDisabled {
            var budgets = Dictionary(uniqueKeysWithValues: group.modelBudgets.map { (PoolName($0), $1) })
            budgets[.shared] = group.defaultBudget
            for (pool, budget) in budgets {
                let key = Key(group: name, pool: pool)
                let old = clocks[key].flatMap { $0.budget.refills && budget.refills ? $0.since : nil }
                new[key] = Clock(budget: budget, since: old ?? now)
            }
        }
        defer { clocks = new }
        return new.mapValues(\.budget) != clocks.mapValues(\.budget)
    }
}

extension Budget {
    fileprivate var refills: Bool { refresh > 0 && max != .unlimited && max != .tokens(0) }
}
