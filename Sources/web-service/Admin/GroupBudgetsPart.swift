import SharedProtocol

/// The budgets that a group gives its members, and what they share.
struct GroupBudgetsPart: Sendable {
    /// The ledger cannot say.
    var isUnavailable: Bool
    var hasBudgets: Bool
    var budgets: [BudgetRow]
    var shared: PoolRow?

    /// - Parameter groups: every group that has budgets; nil when the ledger cannot say.
    init(_ groups: [Ledger.GroupBudget]?, of name: GroupName) {
        let entry = groups?.first { $0.group == name }
        isUnavailable = groups == nil
        budgets = (entry?.budgets ?? []).map(BudgetRow.init)
        hasBudgets = !budgets.isEmpty
        shared = entry?.shared.map(PoolRow.init)
        if shared?.isUnlimited == false { shared?.resetPath = name.adminPath + "/reset" }
    }
}
