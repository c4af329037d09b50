import Logging
import NIOConcurrencyHelpers
import ServiceLifecycle
import SharedProtocol
import Storage

/// Writes when sessions and keys were last used: to the minute, in batches, and never in the way of an answer. A crash
/// loses the last seconds of it, which makes a session end a moment early and nothing else.
final class LastUseWriter: ServiceLifecycle.Service {
    /// What was used.
    enum Subject: Hashable, Sendable {
        case session(CredentialHash)
        case key(KeyID)
    }

    /// A use within a minute of the one that is stored is not worth a write.
    static let resolutionMilliseconds: Int64 = 60_000
    static let interval = Duration.seconds(5)
    /// More different ones in one interval are left for their next use.
    static let mostPending = 100_000
    /// Uses of one transaction.
    static let largestWrite = 1000

    private let database: ServiceDatabase
    private let logger: Logger
    private let pending = NIOLockedValueBox<[Subject: Timestamp]>([:])

    init(_ database: ServiceDatabase, logger: Logger) {
        self.database = database
        self.logger = logger
    }

    /// - Parameter lastNoted: what the database says.
    func note(_ subject: Subject, at now: Timestamp, lastNoted: Timestamp?) {
        if let lastNoted, now.rawValue < lastNoted.rawValue + Self.resolutionMilliseconds { return }
        pending.withLockedValue { pending in
            if pending.count < Self.mostPending || pending[subject] != nil { pending[subject] = now }
        }
    }

    /// Writes every few seconds, and once more at the end.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: Self.interval)) != nil { await self.flush() }
        }
        await flush()
    }

    func flush() async {
        let uses = pending.withLockedValue { pending in
            defer { pending = [:] }
            return Array(pending)
        }
        do throws(CallError) {
            for start in stride(from: 0, to: uses.count, by: Self.largestWrite) {
                try await write(uses[start..<min(start + Self.largestWrite, uses.count)])
            }
        } catch {
            logger.warning("when sessions and keys were last used was not written: \(error.message)")
        }
    }

    /// Other instances may write the same rows: the latest use counts.
    private func write(_ uses: ArraySlice<(key: Subject, value: Timestamp)>) async throws(CallError) {
        try await database.write(isolation: .readCommitted) { connection in
            for (subject, time) in uses {
                switch subject {
                case .session(let hash):
                    try connection.execute(
                        "UPDATE session SET seen = ? WHERE hash = ? AND seen < ?",
                        [time.rawValue, hash.rawValue, time.rawValue])
                case .key(let id):
                    try connection.execute(
                        "UPDATE api_key SET last_used = ? WHERE id = ? AND (last_used IS NULL OR last_used < ?)",
                        [time.rawValue, id.rawValue, time.rawValue])
                }
            }
        }
    }
}
