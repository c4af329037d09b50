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
        let found = sheet?.pools.first { $0.holder == .user && $0.name == pool }
        if sheet != nil, found == nil { throw PageProblem.notFound }
        let content = ResetPage(
            whose: user.person.email, field: "pool", name: pool, pool: found,
            action: "/admin/users/\(user.person.id)/reset", back: "/admin/users/\(user.person.id)")
        return page("admin-reset", title: "Reset a pool", content, for: visit)
    }

    func resetUser(_ visit: Visit) async throws -> Response {
        let pool = try await visit.form(PoolInput.self).name()
        let user = try await user(visit)
        let notice = try await reset(
            .user(Ledger.Account(user.person), pool: pool), visit, ["user_id": "\(user.person.id)", "pool": "\(pool)"])
        return .redirect(to: notice.path(after: "/admin/users/\(user.person.id)"))
    }

    func askToResetGroup(_ visit: Visit) async throws -> Response {
        guard let name = visit.query("group") else { throw PageProblem.notFound }
        let groups = try? await ledger.call(Ledger.GroupBudgets(), request: visit.id, timeout: Self.callTimeout)
        if let groups, !groups.contains(where: { $0.group.rawValue == name }) { throw PageProblem.notFound }
        let content = ResetPage(
            whose: "the group “\(name)”", field: "group", name: name,
            pool: groups?.first { $0.group.rawValue == name }?.shared, action: "/admin/groups/reset",
            back: "/admin/groups")
        return page("admin-reset", title: "Reset a pool", content, for: visit)
    }

    func resetGroup(_ visit: Visit) async throws -> Response {
        let group = try await visit.form(GroupInput.self).group
        guard group.utf8.count <= BudgetForm.longestName else { throw PageProblem.notFound }
        let notice = try await reset(.group(GroupName(group)), visit, ["group": "\(group)"])
        return .redirect(to: notice.path(after: "/admin/groups"))
    }

    private func reset(
        _ target: Ledger.Reset.Target, _ visit: Visit, _ details: Logger.Metadata
    ) async throws(CallError) -> AdminNotice {
        do {
            try await change(Ledger.Reset(target: target), at: ledger, by: visit, details)
            return .reset
        } catch {
            guard error.code == .notFound else { throw error }
            return .nothingToReset
        }
    }
}

private struct GroupInput: Decodable {
    var group: String
}

private struct ResetPage: Sendable {
    var whose: String
    /// The form's hidden field and its value.
    var field: String
    var name: String
    var label: String
    /// As it is now; absent when the ledger cannot say, or it is unlimited.
    var balance: String?
    var max: String?
    var action: String
    var back: String

    init(whose: String, field: String, name: String, pool: Ledger.Pool?, action: String, back: String) {
        self.whose = whose
        self.field = field
        self.name = name
        label =
            field == "group"
            ? "the shared pool" : name == "default" ? "the pool for all models without a budget of their own" : name
        balance = pool?.balance?.grouped
        max = pool?.max?.grouped
        self.action = action
        self.back = back
    }
}
