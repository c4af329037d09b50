import GRDB
import SharedProtocol

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A service's own SQLite file: one writer and few readers, on GRDB's own queues.
final class SQLiteDatabase: DatabaseEngine {
    private let pool: DatabasePool
    private let lock: DatabaseLock

    /// How long a statement waits for a lock that a backup tool holds.
    private static let busyTimeoutSeconds = 5.0
    /// Each open connection may hold 2 MB of pages; readers are opened only when they are needed.
    private static let maximumReaders = 2

    var engine: SQLEngine { .sqlite }

    init(path: String, migrations: [Migration]) throws(StorageProblem) {
        try Self.createPrivateFile(path)
        lock = try DatabaseLock(beside: path)
        do {
            var configuration = Configuration()
            configuration.busyMode = .timeout(Self.busyTimeoutSeconds)
            configuration.maximumReaderCount = Self.maximumReaders
            pool = try DatabasePool(path: path, configuration: configuration)
            try pool.writeWithoutTransaction { database in
                try Self.makeCommitsDurable(database)
                try Self.migrate(database, migrations)
            }
        } catch let problem as StorageProblem {
            throw problem
        } catch {
            throw StorageProblem("The database \(path) cannot be opened: \(error.storageReason).")
        }
    }

    func write<T: Sendable>(
        isolation: WriteIsolation, _ updates: @escaping @Sendable (any SQLConnection) throws -> T
    ) async -> Result<T, any Error> {
        await withCheckedContinuation { continuation in
            pool.asyncWrite({ try updates(SQLiteConnection($0)) }) { _, result in
                continuation.resume(returning: result)
            }
        }
    }

    func listener(on channel: String) -> DatabaseListener? { nil }

    func read<T: Sendable>(
        isLong: Bool, _ query: @escaping @Sendable (any SQLConnection) throws -> T
    ) async -> Result<T, any Error> {
        await withCheckedContinuation { continuation in
            pool.asyncRead { database in
                continuation.resume(returning: Result { try query(SQLiteConnection(database.get())) })
            }
        }
    }

    /// Creates the file if it is not there, readable by its owner only; SQLite gives its log the same mode.
    private static func createPrivateFile(_ path: String) throws(StorageProblem) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw StorageProblem("The database \(path) cannot be opened: \(String(cString: strerror(errno))).")
        }
        close(descriptor)
    }

    /// GRDB sets `synchronous=NORMAL` when it turns WAL on; with it, a commit may be lost with the machine's power.
    private static func makeCommitsDurable(_ database: Database) throws {
        try database.execute(sql: "PRAGMA synchronous = FULL")
        let level = try Int.fetchOne(database, sql: "PRAGMA synchronous")
        let journal = try String.fetchOne(database, sql: "PRAGMA journal_mode")
        guard level == 2, journal == "wal" else {
            throw StorageProblem(
                "SQLite refuses synchronous=FULL with a write-ahead log; commits would not be durable.")
        }
    }

    /// Applies what is missing, each step in a transaction of its own together with its number.
    private static func migrate(_ database: Database, _ migrations: [Migration]) throws {
        let current = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        for migration in try Migration.missing(migrations, current: current) {
            do {
                try database.inTransaction {
                    try database.execute(sql: migration.sqlite)
                    try database.execute(sql: "PRAGMA user_version = \(migration.number)")
                    return .commit
                }
            } catch {
                throw migration.failed(error)
            }
        }
    }
}
