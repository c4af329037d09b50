import Logging
import ServiceLifecycle
import SharedProtocol

/// What happens by itself: silent owners lose their reservations, what is behind on disk is written.
struct Housekeeping: Service {
    /// A lease is 15 s; what it covered must be settled within 30.
    static let interval = Duration.seconds(1)
    private let book: LiveBook
    private let journal: Journal
    private let logger: Logger

    init(_ book: LiveBook, _ journal: Journal, logger: Logger) {
        self.book = book
        self.journal = journal
        self.logger = logger
    }

    func run() async throws {
        // Nobody is kept waiting by a ledger that stops.
        defer { book.openBarrier() }
        try? await cancelWhenGracefulShutdown {
            async let _ = openBarrier()
            while true {
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
}
