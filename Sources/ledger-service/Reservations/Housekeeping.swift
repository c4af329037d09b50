import Logging
import ServiceLifecycle
import SharedProtocol

/// What happens by itself: silent owners lose their reservations, and pools that began without a bill are written.
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
        try? await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try await Task.sleep(for: Self.interval)
                sweep()
            }
        }
    }

    func sweep() {
        let (lost, hasUnsaved) = book.step { book, moment in (book.endLeases(at: moment), book.hasUnsaved) }
        if !lost.isEmpty {
            logger.warning("An owner of reservations is gone.", metadata: ["posts": .stringConvertible(lost.count)])
            journal.post(lost: lost)
        }
        if hasUnsaved { journal.writeUnsaved() }
    }
}
