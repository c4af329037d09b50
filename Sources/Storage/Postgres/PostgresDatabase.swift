import Logging
import NIOCore
import SharedProtocol

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A service's own schema in a PostgreSQL database, which the service's instances share.
final class PostgresDatabase: DatabaseEngine {
    private let pool: PostgresPool

    /// Attempts at a transaction that others are in the way of, as far as its time allows.
    static let mostAttempts = 30
    /// Before an attempt that follows a failed one: a random time up to this.
    static let longestPauseMicroseconds: UInt32 = 20_000

    var engine: SQLEngine { .postgres }

    init(
        _ url: Secret, schema: String, pool: DatabasePoolConfiguration, migrations: [Migration], logger: Logger
    ) throws(StorageProblem) {
        let settings = try PostgresSettings(url, schema: schema)
        self.pool = PostgresPool(settings, pool)
        do {
            let connection = try self.pool.open(until: .now() + PostgresSettings.connectLimit)
            if !connection.isFsyncOn {
                logger.warning("PostgreSQL runs with fsync off: a power failure may lose commits")
            }
            try PostgresMigrator(schema: schema, migrations: migrations).run(on: connection)
            self.pool.giveBack(connection)
        } catch let error as PostgresError {
            throw StorageProblem(error)
        } catch {
            throw (error as? StorageProblem) ?? StorageProblem("The database cannot be opened: \(error).")
        }
    }

    func write<T: Sendable>(
        isolation: WriteIsolation, _ updates: @escaping @Sendable (any SQLConnection) throws -> T
    ) async -> Result<T, any Error> {
        let level = isolation == .serializable ? "SERIALIZABLE" : "READ COMMITTED"
        return await pool.run { [pool] in
            Result { try Self.attempts(at: "BEGIN ISOLATION LEVEL \(level)", in: pool, updates) }
        }
    }

    func listener(on channel: String) -> DatabaseListener? {
        DatabaseListener(PostgresListener(pool.settings, channel: channel))
    }

    func read<T: Sendable>(
        isLong: Bool, _ query: @escaping @Sendable (any SQLConnection) throws -> T
    ) async -> Result<T, any Error> {
        var begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        if isLong { begin += "; SET LOCAL statement_timeout TO '600s'" }
        let limit = isLong ? PostgresSettings.longLimit : PostgresSettings.transactionLimit
        return await pool.run { [pool, begin] in
            Result { try Self.attempts(at: begin, within: limit, in: pool, query) }
        }
    }

    private static func attempts<T>(
        at begin: String, within limit: TimeAmount = PostgresSettings.transactionLimit, in pool: PostgresPool,
        _ work: (any SQLConnection) throws -> T
    ) throws -> T {
        let deadline = NIODeadline.now() + limit
        var attempt = 1
        while true {
            do {
                return try transaction(begin, in: pool, until: deadline, work)
            } catch let error as PostgresError where error.isConflict && attempt < mostAttempts && .now() < deadline {
                attempt += 1
                usleep(.random(in: 0...longestPauseMicroseconds))
            }
        }
    }

    private static func transaction<T>(
        _ begin: String, in pool: PostgresPool, until deadline: NIODeadline,
        _ work: (any SQLConnection) throws -> T
    ) throws -> T {
        let connection = try self.begin(begin, in: pool, until: deadline)
        defer { pool.giveBack(connection) }
        let result: T
        do {
            result = try work(connection)
        } catch {
            if !connection.isBroken { _ = try? connection.simple("ROLLBACK") }
            throw error
        }
        try connection.commit()
        return result
    }

    /// A connection that was kept may have been closed by the server meanwhile, by a restart most likely. That costs
    /// nobody an error: nothing has been done on it yet.
    private static func begin(
        _ begin: String, in pool: PostgresPool, until deadline: NIODeadline
    ) throws(PostgresError) -> PostgresConnection {
        let (kept, isNew) = try pool.take(until: deadline)
        do throws(PostgresError) {
            _ = try kept.simple(begin)
            return kept
        } catch {
            pool.giveBack(kept)
            guard !isNew, kept.isBroken, error.kind != .timedOut else { throw error }
        }
        let connection = try pool.open(until: deadline)
        do throws(PostgresError) {
            _ = try connection.simple(begin)
            return connection
        } catch {
            pool.giveBack(connection)
            throw error
        }
    }
}
