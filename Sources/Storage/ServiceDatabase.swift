import GRDB
import Logging
import SharedProtocol

/// A service's own SQLite file: one writer, few readers, every commit on disk before it is answered. Reads and writes run
/// on the database's own queues, never on the cooperative pool, and are not cancelled with the task that asked: a
/// transaction that began either commits or fails by itself.
public final class ServiceDatabase: Sendable {
    /// The file that it keeps.
    public let path: String
    private let pool: DatabasePool
    private let lock: DatabaseLock
    private let logger: Logger

    /// How long a statement waits for a lock that a backup tool holds.
    private static let busyTimeoutSeconds = 5.0
    /// Each open connection may hold 2 MB of pages; readers are opened only when they are needed.
    private static let maximumReaders = 2

    /// Opens the file, creating it if it is not there, and brings its schema up to date. Blocks: for start-up only.
    ///
    /// - Throws: a sentence for the operator: the folder is missing, another process has the file, it is no database, a
    ///   newer version of the service wrote it, a migration failed.
    public init(
        at location: DatabaseLocation, migrations: [Migration], logger: Logger
    ) throws(StorageProblem) {
        path = location.path
        self.logger = logger
        try location.createPrivateFile()
        lock = try DatabaseLock(beside: location.path)
        do {
            var configuration = Configuration()
            configuration.busyMode = .timeout(Self.busyTimeoutSeconds)
            configuration.maximumReaderCount = Self.maximumReaders
            pool = try DatabasePool(path: location.path, configuration: configuration)
            try pool.writeWithoutTransaction { database in
                try Self.makeCommitsDurable(database)
                try Migration.apply(migrations, to: database)
            }
        } catch let problem as StorageProblem {
            throw problem
        } catch {
            throw StorageProblem("The database \(location.path) cannot be opened: \(error.storageReason).")
        }
    }

    /// Runs `updates` in one transaction and returns once it is on disk.
    ///
    /// - Throws: what `updates` throws as a `CallError`; `storage_failed` when the database refused, with nothing changed.
    @discardableResult
    public func write<T: Sendable>(
        _ updates: @escaping @Sendable (any SQLConnection) throws -> T
    ) async throws(CallError) -> T {
        let result: Result<T, any Error> = await withCheckedContinuation { continuation in
            pool.asyncWrite({ try updates(SQLiteConnection($0)) }) { _, result in
                continuation.resume(returning: result)
            }
        }
        return try unwrap(result, "written")
    }

    /// Runs `query` on a snapshot of what has been committed; it may not write.
    ///
    /// - Throws: what `query` throws as a `CallError`; `storage_failed` when the database refused.
    public func read<T: Sendable>(
        _ query: @escaping @Sendable (any SQLConnection) throws -> T
    ) async throws(CallError) -> T {
        let result: Result<T, any Error> = await withCheckedContinuation { continuation in
            pool.asyncRead { database in
                continuation.resume(returning: Result { try query(SQLiteConnection(database.get())) })
            }
        }
        return try unwrap(result, "read")
    }

    // The two for GRDB's own connection are there until the ledger is on `SQLConnection`.

    @discardableResult @_disfavoredOverload
    public func write<T: Sendable>(
        _ updates: @escaping @Sendable (Database) throws -> T
    ) async throws(CallError) -> T {
        let result: Result<T, any Error> = await withCheckedContinuation { continuation in
            pool.asyncWrite(updates) { _, result in continuation.resume(returning: result) }
        }
        return try unwrap(result, "written")
    }

    @_disfavoredOverload
    public func read<T: Sendable>(
        _ query: @escaping @Sendable (Database) throws -> T
    ) async throws(CallError) -> T {
        let result: Result<T, any Error> = await withCheckedContinuation { continuation in
            pool.asyncRead { database in
                continuation.resume(returning: Result { try query(database.get()) })
            }
        }
        return try unwrap(result, "read")
    }

    private func unwrap<T>(_ result: Result<T, any Error>, _ verb: String) throws(CallError) -> T {
        switch result {
        case .success(let value):
            return value
        case .failure(let error as CallError):
            throw error
        case .failure(let error):
            // GRDB leaves the statement's arguments out of its description.
            logger.error("The database could not be \(verb).", metadata: ["reason": "\(error)"])
            throw CallError(.storageFailed, "The service's database could not be \(verb): \(error.storageReason).")
        }
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
}
