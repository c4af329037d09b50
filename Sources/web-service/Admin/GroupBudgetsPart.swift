import SharedProtocol

/// The budgets that a group gives its members, and what they share.
struct GroupBudgetsPart: Sendable {
    /// The ledger cannot say.
    var isUnavailable: Bool
    var hasBudgets: Bool
    var budgets: [BudgetRow]
    var shared: PoolRow?
    /// The file does not name the group.
    var areEditable: Bool
    /// Absent when they are not.
    var budgetForm: BudgetForm?

    /// - Parameters:
    ///   - groups: every group that has budgets; nil when the ledger cannot say.
    ///   - form: what was typed; nil for a fresh one.
    ///   - pool: whose budget a fresh form begins with.
    ///   - pools: what there can be a budget for.
    init(
        _ groups: [Ledger.GroupBudget]?, of group: Auth.GroupRecord, form: BudgetForm?, editing pool: String?,
        pools: [String]
    ) {
        let entry = groups?.first { $0.group == group.name }
        isUnavailable = groups == nil
        let entries = entry?.entries ?? []
        budgets = entries.map(BudgetRow.init)
        hasBudgets = !budgets.isEmpty
        shared = entry?.shared.map(PoolRow.init)
        if shared?.isUnlimited == false { shared?.resetPath = group.name.adminPath + "/reset" }
        areEditable = group.origin == .panel && entry?.isLocked != true
        if areEditable { budgetForm = form ?? BudgetForm(editing: pool, of: entries, pools: pools) }
    }
}
