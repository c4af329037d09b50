import Logging
import SharedProtocol

/// A service's own data, on SQLite or PostgreSQL. Every commit is on disk before it is answered. Nothing here runs on the
/// cooperative pool or is cancelled with the task that asked: a transaction that began either commits or fails by itself.
public final class ServiceDatabase: Sendable {
    private let store: any DatabaseEngine
    private let logger: Logger

    /// Opens the database and brings its schema up to date; with SQLite the file is made if it is not there. Blocks: for
    /// start-up only, up to a few seconds, or until another instance has done its migrations.
    ///
    /// - Throws: a sentence for the operator: the folder is missing, another process has the file, the server cannot be
    ///   reached, a newer version of the service wrote it, a migration failed.
    public init(
        at location: DatabaseLocation, migrations: [Migration], logger: Logger
    ) throws(StorageProblem) {
        self.logger = logger
        Migration.check(migrations)
        store =
            switch location {
            case .sqlite(let path):
                try SQLiteDatabase(path: path, migrations: migrations)
            case .postgres(let url, let schema, let pool):
                try PostgresDatabase(url, schema: schema, pool: pool, migrations: migrations, logger: logger)
            }
    }

    public var engine: SQLEngine { store.engine }

    /// Runs `updates` in one transaction and returns once it is on disk. On PostgreSQL `updates` runs again, a limited
    /// number of times, when other transactions were in its way: what it does outside of the database must bear that.
    ///
    /// - Throws: what `updates` throws as a `CallError`; `storage_failed` when the database refused, with nothing changed
    ///   unless the message says that this is not known; `busy` when there was no connection within `pool_timeout`.
    @discardableResult
    public func write<T: Sendable>(
        isolation: WriteIsolation = .serializable, _ updates: @escaping @Sendable (any SQLConnection) throws -> T
    ) async throws(CallError) -> T {
        try unwrap(await store.write(isolation: isolation, updates), "written")
    }

    /// Runs `query` on a snapshot of what has been committed; it may not write.
    ///
    /// - Parameter isLong: an audit, which may take minutes.
    /// - Throws: what `query` throws as a `CallError`; `storage_failed` when the database refused; `busy` when there was
    ///   no connection within `pool_timeout`.
    public func read<T: Sendable>(
        isLong: Bool = false, _ query: @escaping @Sendable (any SQLConnection) throws -> T
    ) async throws(CallError) -> T {
        try unwrap(await store.read(isLong: isLong, query), "read")
    }

    /// Hears when another instance, in a committed transaction, says `NOTIFY channel`. Nil with SQLite, where there is none.
    ///
    /// - Parameter channel: of lower-case letters and `_`.
    public func listener(on channel: String) -> DatabaseListener? { store.listener(on: channel) }

    private func unwrap<T>(_ result: Result<T, any Error>, _ verb: String) throws(CallError) -> T {
        switch result {
        case .success(let value):
            return value
        case .failure(let error as CallError):
            throw error
        case .failure(let error):
            // Neither engine's errors tell a statement's values here.
            logger.error("The database could not be \(verb).", metadata: ["reason": "\(error)"])
            throw CallError(.storageFailed, "The service's database could not be \(verb): \(error.storageReason).")
        }
    }
}
