import Logging
import SharedProtocol
import Storage

/// What the ledger answers, call by call.
struct LedgerCalls: Sendable {
    let journal: Journal
    let housekeeping: Housekeeping
    let book: LiveBook
    private let database: ServiceDatabase
    private let logger: Logger

    /// Takes up the state that the database has.
    init(
        _ database: ServiceDatabase, clock: @escaping @Sendable () -> Moment,
        retentionDays: @escaping @Sendable () -> Int? = { nil }, logger: Logger
    ) async throws {
        let stored = try await database.read(JournalStore.load)
        var book = Book(budgets: stored.budgets, pools: stored.pools)
        book.takeUp(stored.reservations, of: stored.owners, uptime: clock().uptime)
        self.book = LiveBook(book, awaiting: stored.owners, clock: clock)
        self.database = database
        self.logger = logger
        journal = Journal(self.book, database, logger: logger)
        housekeeping = Housekeeping(self.book, journal, database, retentionDays: retentionDays, logger: logger)
    }

    /// Puts budgets and prices in force, for every call from now on.
    func follow(_ groups: [GroupName: GroupConfiguration], _ models: [ModelConfiguration]) {
        book.step { book, moment in book.follow(groups, models, at: moment.wall) }
        journal.writeUnsaved()
    }

    /// Why the ledger is not well.
    var problems: [String] {
        book.step { book, _ in book.isStorageFailing } ? [Book.storageIsFailing.message] : []
    }

    var table: CallTable {
        var table = CallTable()
        table.on(Ledger.Reserve.self) { call, _ throws(CallError) in try await reserve(call) }
        table.on(Ledger.Post.self) { call, _ throws(CallError) in try await journal.post(call) }
        table.on(Ledger.Void.self) { call, _ throws(CallError) in try void(call) }
        table.on(Ledger.Assert.self) { call, _ throws(CallError) in
            book.assert(call)
            return Done()
        }
        table.on(Ledger.Renew.self) { call, _ throws(CallError) in
            book.step { book, moment in book.renew(call, at: moment) }
            return Done()
        }
        addReading(to: &table)
        addAdministration(to: &table)
        return table
    }

    private func addReading(to table: inout CallTable) {
        table.on(Ledger.Balances.self) { call, _ throws(CallError) in
            book.step { book, moment in book.balanceSheet(of: call.account, at: moment.wall) }
        }
        table.on(Ledger.Events.self) { call, _ throws(CallError) in try await events(call) }
        table.on(Ledger.Report.self) { call, _ throws(CallError) in
            guard (0...10_000).contains(call.users) else {
                throw CallError(.invalidParams, "users is between 0 and 10,000.")
            }
            return try await database.read { try UsageReports.report(call, $0) }
        }
        table.on(Ledger.GroupBudgets.self) { _, _ throws(CallError) in
            book.step { book, moment in book.groupBudgets(at: moment.wall) }
        }
        table.on(Ledger.Overrides.self) { call, _ throws(CallError) in
            book.step { book, _ in book.overrides(of: call.user) }
        }
        table.on(Ledger.Verify.self) { _, _ throws(CallError) in
            try await journal.save()
            return try await database.read(Verifier.verify)
        }
    }

    private func addAdministration(to table: inout CallTable) {
        table.on(Ledger.SetOverride.self) { call, _ throws(CallError) in
            if let budget = call.budget, !budget.isWithinLimits {
                throw CallError(.invalidParams, "A budget's numbers are out of range.")
            }
            book.step { book, moment in book.setOverride(call, at: moment.wall) }
            try await journal.save()
            return Done()
        }
        table.on(Ledger.Reset.self) { call, _ throws(CallError) in
            try book.step { book, moment throws(CallError) in try book.reset(call.target, at: moment.wall) }
            try await journal.save()
            return Done()
        }
    }

    private func reserve(_ call: Ledger.Reserve) async throws(CallError) -> Ledger.Decision {
        if !book.isOpen { try await book.opened() }
        // Its owner must be on disk first: a ledger that starts anew must know whom to ask.
        if !book.step({ book, _ in book.knows(call.owner) }) { try await enlist(call.owner) }
        switch await book.reserve(call) {
        case .decided(let decision):
            if case .refused(let refusal) = decision { logger.log(refusal, of: call) }
            return decision
        case .failed(let error):
            throw error
        case .waiting:
            throw CallError(.internalError, "The request was not decided.")
        }
    }

    private func enlist(_ owner: InstanceID) async throws(CallError) {
        book.step { book, moment in book.renew(Ledger.Renew(owner: owner, progress: []), at: moment) }
        try await journal.save()
    }

    private func void(_ call: Ledger.Void) throws(CallError) -> Done {
        let reservation = try book.step { book, moment in book.void(call.request, at: moment.wall) }.get()
        logger.log(voided: call.request, reservation)
        return Done()
    }

    private func events(_ call: Ledger.Events) async throws(CallError) -> [Ledger.UsageEvent] {
        guard (1...200).contains(call.limit) else {
            throw CallError(.invalidParams, "limit is between 1 and 200.")
        }
        return try await database.read { connection in
            try UsageEventStore.page(of: call.user, before: call.before, limit: call.limit, connection)
        }
    }
}
