import Logging
import ServiceLifecycle
import SharedProtocol
import Storage

/// Removes usage events that are older than `usage.retention_days`, by whole days; their sums stay.
struct Pruning: Service {
    static let interval = Duration.seconds(600)

    private let database: ServiceDatabase
    /// Days that events are kept; nil: for ever.
    private let retentionDays: @Sendable () -> Int?
    private let logger: Logger

    init(_ database: ServiceDatabase, retentionDays: @escaping @Sendable () -> Int?, logger: Logger) {
        self.database = database
        self.retentionDays = retentionDays
        self.logger = logger
    }

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while true {
                await prune(at: .now())
                try await Task.sleep(for: Self.interval)
            }
        }
    }

    /// A thousand at a time, so that posts go on in between.
    func prune(at now: Timestamp) async {
        guard let days = retentionDays() else { return }
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
