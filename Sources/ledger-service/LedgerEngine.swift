import ServiceLifecycle
import SharedProtocol

/// What decides about tokens. On SQLite one process has everything in memory (`LocalLedger`); on PostgreSQL several share
/// the rows (`SharedLedger`). Both take the same steps of a `Book`.
protocol LedgerEngine: Sendable {
    /// What has to run for it.
    var services: [any Service] { get }
    /// Why it is not well; none when it is.
    var problems: [String] { get }

    /// Puts budgets and prices in force, for every call from now on.
    func follow(_ groups: [GroupName: GroupConfiguration], _ models: [ModelConfiguration])

    func reserve(_ call: Ledger.Reserve) async throws(CallError) -> Ledger.Decision
    func post(_ call: Ledger.Post) async throws(CallError) -> Ledger.Receipt
    /// - Returns: what was reserved; nil when there was nothing.
    func void(_ request: RequestID) async throws(CallError) -> Reservation?
    func assert(_ call: Ledger.Assert) async throws(CallError)
    func renew(_ call: Ledger.Renew) async throws(CallError)

    func balances(of account: Ledger.Account) async throws(CallError) -> Ledger.BalanceSheet
    func groupBudgets() async throws(CallError) -> [Ledger.GroupBudget]
    func overrides(of user: UserID) async throws(CallError) -> [Ledger.Override]
    func setOverride(_ call: Ledger.SetOverride) async throws(CallError)
    func setGroupBudget(_ call: Ledger.SetGroupBudget) async throws(CallError)
    func reset(_ target: Ledger.Reset.Target) async throws(CallError)
    /// Returns when everything that was decided until now is on disk.
    func save() async throws(CallError)
}
