import HTTPTypes
import Hummingbird
import Logging
import SharedProtocol

extension Site {
    /// One user: what is left, budgets of their own, what was used.
    func adminUser(_ visit: Visit) async throws -> Response {
        let user = try await user(visit)
        return try await adminUserPage(user, visit, form: nil, notice: AdminNotice(visit))
    }

    func adminUserUsageFile(_ visit: Visit) async throws -> Response {
        try await usageFile(of: visit.userID(), visit)
    }

    func adminUserEventsFile(_ visit: Visit) async throws -> Response {
        try await eventsFile(of: visit.userID(), visit)
    }

    /// Gives the user a budget of their own. What cannot be is said beside the field, and nothing that was typed is lost.
    func setOverride(_ visit: Visit) async throws -> Response {
        let input = try await visit.form(BudgetInput.self)
        let user = try await user(visit)
        var form = BudgetForm(input, pools: poolNames())
        guard let budget = form.budget else {
            return try await adminUserPage(user, visit, form: form, status: .unprocessableContent)
        }
        do throws(CallError) {
            try await writeOverride(of: user, pool: form.pool, to: budget, visit)
        } catch {
            let problem = PageProblem(error)
            form.problem = problem.message
            return try await adminUserPage(user, visit, form: form, status: problem.status)
        }
        return .redirect(to: AdminNotice.budgetSet.path(after: "/admin/users/\(user.person.id)"))
    }

    func removeOverride(_ visit: Visit) async throws -> Response {
        let pool = try await visit.form(PoolInput.self).name()
        let user = try await user(visit)
        try await writeOverride(of: user, pool: pool, to: nil, visit)
        return .redirect(to: AdminNotice.budgetRemoved.path(after: "/admin/users/\(user.person.id)"))
    }

    /// - Parameter budget: nil takes the user's own budget for the pool away.
    private func writeOverride(
        of user: Auth.UserRecord, pool: String, to budget: Budget?, _ visit: Visit
    ) async throws(CallError) {
        let overrides = try? await ledger.call(
            Ledger.Overrides(user: user.person.id), request: visit.id, timeout: Self.callTimeout)
        let action = Auth.AuditAction(
            name: budget == nil ? "user.remove_budget" : "user.set_budget",
            subject: "\(user.auditName) pool \(pool)",
            before: overrides?.first { $0.pool == pool }?.budget.auditText, after: budget?.auditText)
        try await change(
            Ledger.SetOverride(user: user.person.id, pool: pool, budget: budget), at: ledger, by: visit, as: action,
            ["user_id": "\(user.person.id)", "pool": "\(pool)", "budget": "\(budget?.auditText ?? "none")"])
    }

    /// - Parameter form: what was typed, with its problems; nil for a fresh one.
    private func adminUserPage(
        _ user: Auth.UserRecord, _ visit: Visit, form: BudgetForm?, notice: AdminNotice? = nil,
        status: HTTPResponse.Status = .ok
    ) async throws -> Response {
        let person = user.person
        let path = "/admin/users/\(person.id)"
        // A form that was sent has no query; its page shows the current month.
        let period = try Period(visit)
        async let sheet = try? ledger.call(
            Ledger.Balances(account: Ledger.Account(person)), request: visit.id, timeout: Self.callTimeout)
        async let overrides = try? ledger.call(
            Ledger.Overrides(user: person.id), request: visit.id, timeout: Self.callTimeout)
        async let usage = usagePart(
            of: person, period: period, path: path, sumsFile: path + "/usage.csv", visit)
        async let keys = try? authCall(Auth.ListKeys(user: person.id), for: visit)
        let groups = (try? await authCall(Auth.ListGroups(), for: visit)) ?? []
        let access = UserAccess(user, groups: groups, keys: await keys, admin: visit.person.id)
        let given = await overrides
        let content = AdminUserPage(
            user: user, notice: notice?.text, access: access, balance: PoolList(await sheet, managed: person.id),
            overrides: given,
            form: form ?? BudgetForm(editing: visit.query("pool"), of: given ?? [], pools: poolNames()),
            usage: await usage)
        return page("admin-user", title: person.email, content, for: visit, status: status)
    }

    /// The user that the address names.
    func user(_ visit: Visit) async throws -> Auth.UserRecord {
        let call = Auth.GetUser(user: try visit.userID())
        return try await auth.call(call, request: visit.id, timeout: Self.callTimeout)
    }

    /// The pools that a budget can be for.
    private func poolNames() -> [String] { ["default"] + configuration().models.map(\.name.rawValue) }
}

extension Visit {
    func userID() throws(PageProblem) -> UserID {
        guard let id = parameters.get("id", as: Int64.self) else { throw .notFound }
        return UserID(id)
    }

    /// - Parameter name: of the part of the address.
    func keyID(_ name: String) throws(PageProblem) -> KeyID {
        guard let id = parameters.get(name, as: Int64.self) else { throw .notFound }
        return KeyID(id)
    }
}

/// Which pool a form is about.
struct PoolInput: Decodable {
    private var pool: String

    /// Any name that a pool can have, also that of a model which is no longer configured. It reaches the log.
    func name() throws(PageProblem) -> String {
        guard pool.utf8.count <= BudgetForm.longestName else { throw .notFound }
        return pool
    }
}

private struct AdminUserPage: Sendable {
    var id: Int64
    var email: String
    var personName: String
    var groups: String
    var created: Moment
    var notice: String?
    var access: UserAccess
    var balance: PoolList
    var overrides: [BudgetRow]
    var hasOverrides: Bool
    var areOverridesUnavailable: Bool
    var form: BudgetForm
    var usage: UsagePart

    /// - Parameter overrides: nil when the ledger cannot say.
    init(
        user: Auth.UserRecord, notice: String?, access: UserAccess, balance: PoolList,
        overrides: [Ledger.Override]?, form: BudgetForm, usage: UsagePart
    ) {
        id = user.person.id.rawValue
        email = user.person.email
        personName = user.person.name
        groups = user.person.groupList
        created = Moment(user.person.created)
        self.notice = notice
        self.access = access
        self.balance = balance
        self.overrides = (overrides ?? []).map(BudgetRow.init)
        hasOverrides = !self.overrides.isEmpty
        areOverridesUnavailable = overrides == nil
        self.form = form
        self.usage = usage
    }
}
