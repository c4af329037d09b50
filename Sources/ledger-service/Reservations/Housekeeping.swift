import Logging
import ServiceLifecycle
import SharedProtocol
import Storage

/// What happens by itself: silent owners lose their reservations, what is behind on disk is written, old events are pruned.
struct Housekeeping: Service {
    /// A lease is 15 s; what it covered must be settled within 30.
    static let interval = Duration.seconds(1)
    /// How many sweeps there are between two looks for events that are too old.
    static let sweepsPerPruning = 600

    private let book: LiveBook
    private let journal: Journal
    private let database: ServiceDatabase
    /// Days that events are kept; nil: for ever.
    private let retentionDays: @Sendable () -> Int?
    private let logger: Logger

    init(
        _ book: LiveBook, _ journal: Journal, _ database: ServiceDatabase,
        retentionDays: @escaping @Sendable () -> Int?, logger: Logger
    ) {
        self.book = book
        self.journal = journal
        self.database = database
        self.retentionDays = retentionDays
        self.logger = logger
    }

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            async let _ = openBarrier()
            for sweeps in 0... {
                if sweeps % Self.sweepsPerPruning == 0 { await prune() }
                try await Task.sleep(for: Self.interval)
                sweep()
            }
        }
    }

    /// Owners that have said nothing by now are taken for dead.
    private func openBarrier() async throws {
        try await Task.sleep(for: StartBarrier.longest)
        book.openBarrier()
    }

    func sweep() {
        let (lost, isDue) = book.step { book, moment in
            (book.endLeases(at: moment), book.unsaved.isSomethingDue(at: moment.uptime))
        }
        if !lost.isEmpty {
            logger.warning("An owner of reservations is gone.", metadata: ["posts": .stringConvertible(lost.count)])
            journal.post(lost: lost)
        }
        if isDue { journal.writeUnsaved() }
    }

    /// Removes events of days that are over the retention, a thousand at a time, so that posts go on in between.
    func prune() async {
        guard let days = retentionDays() else { return }
        let now = book.step { _, moment in moment.wall }
        let oldest = CalendarDay(Timestamp(now.rawValue - Int64(days) * 86_400_000))
        do throws(CallError) {
            var removed = UsageEventStore.pruneBatch
            while removed == UsageEventStore.pruneBatch, !Task.isCancelled {
                removed = try await database.write { try UsageEventStore.prune(before: oldest, $0) }
            }
        } catch {
            logger.warning("Old usage events could not be removed.", metadata: ["code": "\(error.code)"])
        }
    }
}
