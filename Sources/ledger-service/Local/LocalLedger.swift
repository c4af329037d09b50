import Logging
import ServiceLifecycle
import SharedProtocol
import Storage

/// The ledger of one process: reservations are decided in memory at once, posts are committed in groups.
struct LocalLedger: LedgerEngine {
    let book: LiveBook
    let journal: Journal
    let housekeeping: Housekeeping

    /// Takes up the state that the database has.
    init(
        _ database: ServiceDatabase, clock: @escaping @Sendable () -> Moment, logger: Logger
    ) async throws(CallError) {
        let stored = try await database.read(JournalStore.load)
        var book = Book(budgets: stored.budgets, pools: stored.pools)
        book.takeUp(stored.reservations, of: stored.owners, uptime: clock().uptime)
        self.book = LiveBook(book, awaiting: stored.owners, clock: clock)
        journal = Journal(self.book, database, logger: logger)
        housekeeping = Housekeeping(self.book, journal, logger: logger)
    }

    var services: [any Service] { [journal, housekeeping] }

    var problems: [String] {
        book.step { book, _ in book.isStorageFailing } ? [Book.storageIsFailing.message] : []
    }

    func follow(_ groups: [GroupName: GroupConfiguration], _ models: [ModelConfiguration]) {
        book.step { book, moment in book.follow(groups, models, at: moment.wall) }
        journal.writeUnsaved()
    }

    func reserve(_ call: Ledger.Reserve) async throws(CallError) -> Ledger.Decision {
        if !book.isOpen { try await book.opened() }
        // Its owner must be on disk first: a ledger that starts anew must know whom to ask.
        if !book.step({ book, _ in book.knows(call.owner) }) { try await enlist(call.owner) }
        switch await book.reserve(call) {
        case .decided(let decision): return decision
        case .failed(let error): throw error
        case .waiting: throw CallError(.internalError, "The request was not decided.")
        }
    }

    private func enlist(_ owner: InstanceID) async throws(CallError) {
        book.step { book, moment in book.renew(Ledger.Renew(owner: owner, progress: []), at: moment) }
        try await journal.save()
    }

    func post(_ call: Ledger.Post) async throws(CallError) -> Ledger.Receipt { try await journal.post(call) }

    func void(_ request: RequestID) throws(CallError) -> Reservation? {
        try book.step { book, moment in book.void(request, at: moment.wall) }.get()
    }

    func assert(_ call: Ledger.Assert) { book.assert(call) }

    func renew(_ call: Ledger.Renew) { book.step { book, moment in book.renew(call, at: moment) } }

    func balances(of account: Ledger.Account) -> Ledger.BalanceSheet {
        book.step { book, moment in book.balanceSheet(of: account, at: moment.wall) }
    }

    func groupBudgets() -> [Ledger.GroupBudget] {
        book.step { book, moment in book.groupBudgets(at: moment.wall) }
    }

    func overrides(of user: UserID) -> [Ledger.Override] { book.step { book, _ in book.overrides(of: user) } }

    func setOverride(_ call: Ledger.SetOverride) async throws(CallError) {
        book.step { book, moment in book.setOverride(call, at: moment.wall) }
        try await journal.save()
    }

    func setGroupBudget(_ call: Ledger.SetGroupBudget) async throws(CallError) {
        try book.step { book, moment throws(CallError) in try book.setGroupBudget(call, at: moment.wall) }
        try await journal.save()
    }

    func reset(_ target: Ledger.Reset.Target) async throws(CallError) {
        try book.step { book, moment throws(CallError) in try book.reset(target, at: moment.wall) }
        try await journal.save()
    }

    func save() async throws(CallError) { try await journal.save() }
}
