import Hummingbird
import SharedProtocol

extension Site {
    /// Each group's budgets, and what its members share.
    func adminGroups(_ visit: Visit) async throws -> Response {
        let groups = try? await ledger.call(Ledger.GroupBudgets(), request: visit.id, timeout: Self.callTimeout)
        let content = AdminGroupsPage(groups, notice: AdminNotice(visit)?.text)
        return page("admin-groups", title: "Groups", content, for: visit)
    }
}

private struct AdminGroupsPage: Sendable {
    var notice: String?
    var isUnavailable: Bool
    var groups: [Row]

    struct Row: Sendable {
        /// Names the group's parts in the page.
        var number: Int
        var group: String
        var isDisabled: Bool
        var hasBudgets: Bool
        var budgets: [BudgetRow]
        var shared: PoolRow?
    }

    /// - Parameter groups: nil when the ledger cannot say.
    init(_ groups: [Ledger.GroupBudget]?, notice: String?) {
        self.notice = notice
        isUnavailable = groups == nil
        self.groups = (groups ?? []).enumerated().map { number, entry in
            var shared = entry.shared.map(PoolRow.init)
            let isResettable = shared?.isUnlimited == false
            if isResettable { shared?.resetPath = "/admin/groups/reset?group=\(entry.group.rawValue.percentEncoded)" }
            return Row(
                number: number, group: entry.group.rawValue, isDisabled: entry.isDisabled,
                hasBudgets: !entry.budgets.isEmpty, budgets: entry.budgets.map(BudgetRow.init), shared: shared)
        }
    }
}
