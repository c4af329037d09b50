import Hummingbird
import Logging
import SharedProtocol

/// Resetting a pool: asked about on a page of its own, so that a slip changes nothing, also without script.
extension Site {
    func askToResetUser(_ visit: Visit) async throws -> Response {
        let user = try await user(visit)
        let pool = visit.query("pool") ?? "default"
        let pools = await pools(of: user, visit)
        if let pools, pools[pool] == nil { throw PageProblem.notFound }
        let content = ResetPage(
            whose: user.person.email, poolName: pool, pool: pools?[pool],
            action: "/admin/users/\(user.person.id)/reset", back: "/admin/users/\(user.person.id)")
        return page("admin-reset", title: "Reset a pool", content, for: visit)
    }

    func resetUser(_ visit: Visit) async throws -> Response {
        let pool = try await visit.form(PoolInput.self).name()
        let user = try await user(visit)
        let present = await pools(of: user, visit)?[pool]
        let action = Auth.AuditAction(
            name: "user.reset_pool", subject: "\(user.auditName) pool \(pool)", reset: present)
        let notice = try await reset(
            .user(Ledger.Account(user.person), pool: pool), visit, as: action,
            ["user_id": "\(user.person.id)", "pool": "\(pool)"])
        return .redirect(to: notice.path(after: "/admin/users/\(user.person.id)"))
    }

    func askToResetGroup(_ visit: Visit) async throws -> Response {
        let name = try visit.groupName()
        let pools = await sharedPools(visit)
        if let pools, pools[name] == nil { throw PageProblem.notFound }
        let content = ResetPage(
            whose: "the group “\(name)”", pool: pools?[name],
            action: name.adminPath + "/reset", back: name.adminPath)
        return page("admin-reset", title: "Reset a pool", content, for: visit)
    }

    func resetGroup(_ visit: Visit) async throws -> Response {
        let group = try visit.groupName()
        let present = await sharedPools(visit)?[group]
        let action = Auth.AuditAction(name: "group.reset_pool", subject: "group \(group)", reset: present)
        let notice = try await reset(.group(group), visit, as: action, ["group": "\(group)"])
        return .redirect(to: notice.path(after: group.adminPath))
    }

    /// The user's own pools by name; nil when the ledger cannot say.
    private func pools(of user: Auth.UserRecord, _ visit: Visit) async -> [String: Ledger.Pool]? {
        let sheet = try? await ledger.call(
            Ledger.Balances(account: Ledger.Account(user.person)), request: visit.id, timeout: Self.callTimeout)
        let own = sheet?.pools.filter { $0.holder == .user }
        return own.map { pools in Dictionary(pools.map { ($0.name, $0) }) { first, _ in first } }
    }

    /// What the members of each group share; nil when the ledger cannot say.
    private func sharedPools(_ visit: Visit) async -> [GroupName: Ledger.Pool]? {
        let groups = try? await ledger.call(Ledger.GroupBudgets(), request: visit.id, timeout: Self.callTimeout)
        return groups.map { groups in
            Dictionary(groups.compactMap { group in group.shared.map { (group.group, $0) } }) { first, _ in first }
        }
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

extension Ledger.Pool {
    /// What a reset now would make of the balance; nil when nobody can say, or it is unlimited.
    fileprivate var balanceAfterReset: TokenCount? {
        guard let starting, let max else { return nil }
        return Swift.max(0, min(starting, max - reserved))
    }
}

extension Auth.AuditAction {
    /// - Parameter pool: as it is a moment before the reset; nil when the ledger cannot say.
    fileprivate init(name: String, subject: String, reset pool: Ledger.Pool?) {
        self.init(
            name: name, subject: subject, before: pool?.balance.map { "balance \($0)" },
            after: pool?.balanceAfterReset.map { "balance \($0)" })
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
    var balanceAfter: String?
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
        balanceAfter = pool?.balanceAfterReset?.grouped
        self.action = action
        self.back = back
    }
}
