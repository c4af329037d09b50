import Hummingbird
import Logging
import SharedProtocol

/// Resetting a pool: asked about on a page of its own, so that a slip changes nothing, also without script.
extension Site {
    func askToResetUser(_ visit: Visit) async throws -> Response {
        let user = try await user(visit)
        let pool = visit.query("pool") ?? "default"
        let sheet = try? await ledger.call(
            Ledger.Balances(account: Ledger.Account(user.person)), request: visit.id, timeout: Self.callTimeout)
        let content = ResetPage(
            whose: user.person.email, poolName: pool,
            pool: sheet?.pools.first { $0.holder == .user && $0.name == pool },
            action: "/admin/users/\(user.person.id)/reset", back: "/admin/users/\(user.person.id)")
        return page("admin-reset", title: "Reset a pool", content, for: visit)
    }

    func resetUser(_ visit: Visit) async throws -> Response {
        let pool = try await visit.form(PoolInput.self).name()
        let user = try await user(visit)
        let action = Auth.AuditAction(name: "user.reset_pool", subject: "\(user.auditName) pool \(pool)")
        let notice = try await reset(
            .user(Ledger.Account(user.person), pool: pool), visit, as: action,
            ["user_id": "\(user.person.id)", "pool": "\(pool)"])
        return .redirect(to: notice.path(after: "/admin/users/\(user.person.id)"))
    }

    func askToResetGroup(_ visit: Visit) async throws -> Response {
        let name = try visit.groupName()
        let groups = try? await ledger.call(Ledger.GroupBudgets(), request: visit.id, timeout: Self.callTimeout)
        if let groups, !groups.contains(where: { $0.group == name }) { throw PageProblem.notFound }
        let content = ResetPage(
            whose: "the group “\(name)”", pool: groups?.first { $0.group == name }?.shared,
            action: name.adminPath + "/reset", back: name.adminPath)
        return page("admin-reset", title: "Reset a pool", content, for: visit)
    }

    func resetGroup(_ visit: Visit) async throws -> Response {
        let group = try visit.groupName()
        let action = Auth.AuditAction(name: "group.reset_pool", subject: "group \(group)")
        let notice = try await reset(.group(group), visit, as: action, ["group": "\(group)"])
        return .redirect(to: notice.path(after: group.adminPath))
    }

    private func reset(
        _ target: Ledger.Reset.Target, _ visit: Visit, as action: Auth.AuditAction, _ details: Logger.Metadata
    ) async throws(CallError) -> AdminNotice {
        do {
            try await change(Ledger.Reset(target: target), at: ledger, by: visit, as: action, details)
            return .reset
        } catch {
            guard error.code == .notFound else { throw error }
            return .nothingToReset
        }
    }
}

private struct ResetPage: Sendable {
    var whose: String
    /// The user's pool; absent for the one that a group's members share.
    var poolName: String?
    var label: String
    /// As it is now; absent when the ledger cannot say, or it is unlimited.
    var balance: String?
    var max: String?
    var action: String
    var back: String

    init(whose: String, poolName: String? = nil, pool: Ledger.Pool?, action: String, back: String) {
        self.whose = whose
        self.poolName = poolName
        label =
            switch poolName {
            case nil: "the shared pool"
            case "default"?: "the pool for all models without a budget of their own"
            case let name?: name
            }
        balance = pool?.balance?.grouped
        max = pool?.max?.grouped
        self.action = action
        self.back = back
    }
}
