import Hummingbird
import Logging
import SharedProtocol

/// Budgets of groups that admins made; those of the file's groups are changed there.
extension Site {
    /// Gives the group a budget. What cannot be is said beside the field, and nothing that was typed is lost.
    func setGroupBudget(_ visit: Visit) async throws -> Response {
        let input = try await visit.form(BudgetInput.self)
        let group = try await group(visit)
        var form = BudgetForm(input, pools: groupPoolNames())
        let failure = await form.submit { budget throws(CallError) in
            try await writeBudget(of: group, pool: input.pool, to: budget, visit)
        }
        if let failure { return try await adminGroupPage(group, visit, budget: form, status: failure) }
        return .redirect(to: AdminNotice.budgetSet.path(after: group.name.adminPath))
    }

    func removeGroupBudget(_ visit: Visit) async throws -> Response {
        let pool = try await visit.form(PoolInput.self).name()
        let group = try await group(visit)
        try await writeBudget(of: group, pool: pool, to: nil, visit)
        return .redirect(to: AdminNotice.groupBudgetRemoved.path(after: group.name.adminPath))
    }

    /// The pools that a group's budget can be for.
    func groupPoolNames() -> [String] { poolNames() + [BudgetForm.sharedPool] }

    /// - Parameter budget: nil takes the group's budget for the pool away.
    private func writeBudget(
        of group: Auth.GroupRecord, pool: String, to budget: Budget?, _ visit: Visit
    ) async throws(CallError) {
        guard group.origin == .panel else {
            throw CallError(.refused, "This group comes from the configuration file: its budgets are changed there.")
        }
        let groups = try? await ledger.call(Ledger.GroupBudgets(), request: visit.id, timeout: Self.callTimeout)
        let present = groups?.first { $0.group == group.name }?.entries.first { $0.pool == pool }
        let entry = Ledger.GroupEntry(pool: pool)
        let action = Auth.AuditAction(
            name: budget == nil ? "group.remove_budget" : "group.set_budget",
            subject: "group \(group.name) \(entry == .shared ? "shared pool" : "pool \(pool)")",
            before: present?.budget.auditText, after: budget?.auditText)
        try await change(
            Ledger.SetGroupBudget(group: group.name, entry: entry, budget: budget), at: ledger, by: visit, as: action,
            ["group": "\(group.name)", "pool": "\(pool)", "budget": "\(budget?.auditText ?? "none")"])
    }
}

extension Ledger.GroupEntry {
    /// - Parameter pool: as a form names it.
    fileprivate init(pool: String) {
        switch pool {
        case "default": self = .default
        case BudgetForm.sharedPool: self = .shared
        default: self = .model(ModelName(pool))
        }
    }
}

extension Ledger.GroupBudget {
    /// All that the group gives, by pool as a form names it.
    var entries: [Ledger.Override] {
        budgets + (sharedBudget.map { [Ledger.Override(pool: BudgetForm.sharedPool, budget: $0)] } ?? [])
    }
}
