import SharedProtocol

/// The budgets in force, the groups' from the configuration and from admins and the users' own, and since when each accrues:
/// a pool's clock starts when the user or the entry came to be, whichever is later. Time in which an entry gave no refill
/// does not count.
struct Budgets: Sendable {
    /// What a stored clock belongs to.
    struct Key: Hashable, Sendable {
        var group: GroupName
        var pool: PoolName
    }

    struct Clock: Sendable, Equatable {
        var budget: Budget
        var since: Timestamp
    }

    /// Of the configuration file.
    private(set) var file: [GroupName: GroupConfiguration] = [:]
    /// Of groups that admins made, as they set them. They rest while the file names the group.
    private(set) var panel: [GroupName: GroupConfiguration]
    /// Those that hold: the file's, and admins' that it does not name.
    private(set) var groups: [GroupName: GroupConfiguration] = [:]
    private(set) var models: [ModelConfiguration] = []
    private(set) var clocks: [Key: Clock]
    private(set) var overrides: [UserID: [PoolName: Clock]]
    /// When any of them changed, oldest first: until the first of these that a pool has not seen yet, it accrues by its old
    /// terms.
    private(set) var changes: [Timestamp]

    /// How many changes are remembered.
    static let mostChanges = 1000

    init(
        clocks: [Key: Clock] = [:], overrides: [UserID: [PoolName: Clock]] = [:],
        panel: [GroupName: GroupConfiguration] = [:], changes: [Timestamp] = []
    ) {
        self.clocks = clocks
        self.overrides = overrides
        self.panel = panel
        self.changes = changes
    }

    /// Goes by this file's groups and models, whose budgets are known already.
    mutating func use(_ file: [GroupName: GroupConfiguration], _ models: [ModelConfiguration]) {
        self.file = file
        self.models = models
        groups = panel.merging(file) { _, ofFile in ofFile }
    }

    /// Takes over the budgets of the file's groups, from `now` on.
    ///
    /// - Returns: whether any budget is another than before.
    mutating func follow(
        _ file: [GroupName: GroupConfiguration], _ models: [ModelConfiguration], at now: Timestamp
    ) -> Bool {
        use(file, models)
        var new: [Key: Clock] = [:]
        for (name, group) in groups where !group.isDisabled {
            for (pool, budget) in group.budgetsByPool {
                let key = Key(group: name, pool: pool)
                new[key] = Clock(budget, after: clocks[key], at: now)
            }
        }
        guard new.mapValues(\.budget) != clocks.mapValues(\.budget) else { return false }
        clocks = new
        noteChange(at: now)
        return true
    }

    /// Gives a user a budget of their own, or takes it away.
    ///
    /// - Returns: whether that is another than before.
    mutating func setOverride(_ budget: Budget?, for user: UserID, _ pool: PoolName, at now: Timestamp) -> Bool {
        guard overrides[user]?[pool]?.budget != budget else { return false }
        let old = overrides[user]?[pool]
        overrides[user, default: [:]][pool] = budget.map { Clock($0, after: old, at: now) }
        if overrides[user]?.isEmpty == true { overrides[user] = nil }
        noteChange(at: now)
        return true
    }

    /// Gives a group that admins made a budget, or takes it away.
    ///
    /// - Returns: whether that is another than before.
    mutating func setGroupBudget(_ call: Ledger.SetGroupBudget, at now: Timestamp) throws(CallError) -> Bool {
        guard file[call.group] == nil else {
            throw CallError(.refused, "The configuration file names this group: its budgets are changed there.")
        }
        var group = panel[call.group] ?? GroupConfiguration(name: call.group)
        guard group[call.entry] != call.budget else { return false }
        group[call.entry] = call.budget
        panel[call.group] = group.budgetsByPool.isEmpty ? nil : group
        groups[call.group] = panel[call.group]
        let key = Key(group: call.group, pool: PoolName(call.entry))
        clocks[key] = call.budget.map { Clock($0, after: clocks[key], at: now) }
        noteChange(at: now)
        return true
    }

    /// The first change after a moment.
    func change(after moment: Timestamp) -> Timestamp? {
        changes.last.map { $0 > moment } == true ? changes.first { $0 > moment } : nil
    }

    /// When the clock of a pool that begins now started.
    func clockStart(of limit: Limit, _ entry: BudgetEntry, _ account: Ledger.Account, at now: Timestamp) -> Timestamp {
        switch limit.pool.holder {
        case .key: now
        case .group(let group): clocks[Key(group: group, pool: .shared)]?.since ?? now
        case .user(let user):
            max(
                account.created,
                (entry.group.map { clocks[Key(group: $0, pool: entry.pool)] } ?? overrides[user]?[entry.pool])?.since
                    ?? now)
        }
    }

    func price(of model: ModelName) -> Price {
        models.first { $0.name == model }.map { Price(input: $0.inputPrice, output: $0.outputPrice) } ?? .free
    }

    private mutating func noteChange(at now: Timestamp) {
        // A clock that was set back must not put the list out of order.
        changes.append(max(now, changes.last ?? now))
        changes.removeFirst(max(0, changes.count - Self.mostChanges))
    }
}

extension Budgets.Clock {
    /// The time of a budget goes on as long as it refills at the same rate, up to the same maximum: a raise must not count
    /// for the time before it.
    fileprivate init(_ budget: Budget, after old: Budgets.Clock?, at now: Timestamp) {
        let goesOn = old.map { $0.budget.refills && $0.budget.refill == budget.refill } ?? false
        self.init(budget: budget, since: goesOn ? old?.since ?? now : now)
    }
}

extension GroupConfiguration {
    subscript(entry: Ledger.GroupEntry) -> Budget? {
        get {
            switch entry {
            case .default: defaultBudget
            case .model(let model): modelBudgets[model]
            case .shared: sharedBudget
            }
        }
        set {
            switch entry {
            case .default: defaultBudget = newValue
            case .model(let model): modelBudgets[model] = newValue
            case .shared: sharedBudget = newValue
            }
        }
    }

    /// The entries of members' own pools, and of the one that they share.
    var budgetsByPool: [PoolName: Budget] {
        var budgets = Dictionary(uniqueKeysWithValues: modelBudgets.map { (PoolName($0), $1) })
        budgets[.general] = defaultBudget
        budgets[.shared] = sharedBudget
        return budgets
    }
}

extension Budget {
    fileprivate var refill: [Int64] { [max.tokens?.rawValue ?? -1, refresh.rawValue] }
    fileprivate var refills: Bool { refresh > 0 && max != .unlimited && max != .tokens(0) }
}
