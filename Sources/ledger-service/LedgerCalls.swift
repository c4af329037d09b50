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
    init(_ database: ServiceDatabase, clock: @escaping @Sendable () -> Moment, logger: Logger) async throws {
        let book = try await database.read { database in
            let (pools, clocks) = try JournalStore.load(database)
            return Book(pools: pools, clocks: clocks)
        }
        self.book = LiveBook(book, clock: clock)
        self.database = database
        self.logger = logger
        journal = Journal(self.book, database, logger: logger)
        housekeeping = Housekeeping(self.book, journal, logger: logger)
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
        table.on(Ledger.Renew.self) { call, _ throws(CallError) in
            book.step { book, moment in book.renew(call, at: moment) }
            return Done()
        }
        table.on(Ledger.Balances.self) { call, _ throws(CallError) in
            book.step { book, moment in book.balanceSheet(of: call.account, at: moment.wall) }
        }
        table.on(Ledger.Events.self) { call, _ throws(CallError) in try await events(call) }
        return table
    }

    private func reserve(_ call: Ledger.Reserve) async throws(CallError) -> Ledger.Decision {
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

    private func void(_ call: Ledger.Void) throws(CallError) -> Done {
        let reservation = try book.step { book, moment in book.void(call.request, at: moment.wall) }.get()
        logger.log(voided: call.request, reservation)
        return Done()
    }

    private func events(_ call: Ledger.Events) async throws(CallError) -> [Ledger.UsageEvent] {
        guard (1...200).contains(call.limit) else {
            throw CallError(.invalidParams, "limit is between 1 and 200.")
        }
        return try await database.read { database in
            try UsageEventStore.page(of: call.user, before: call.before, limit: call.limit, database)
        }
    }
}
