import NIOCore

/// Brings a schema up to date. Several instances may start at once: each step takes a lock of the database first, and
/// then looks what there is still to do.
struct PostgresMigrator {
    let schema: String
    let migrations: [Migration]

    func run(on connection: PostgresConnection) throws(StorageProblem) {
        connection.deadline = .now() + PostgresSettings.migrationLimit
        while try step(connection) {}
    }

    /// - Returns: whether there may be more to do.
    private func step(_ connection: PostgresConnection) throws(StorageProblem) -> Bool {
        do {
            try connection.script("BEGIN; SET LOCAL statement_timeout TO 0; SET LOCAL lock_timeout TO 0")
            _ = try connection.rows("SELECT pg_advisory_xact_lock(hashtextextended(?, 0))", ["lumen." + schema])
            guard let next = try Migration.missing(migrations, current: version(connection)).first else {
                try connection.commit()
                return false
            }
            try apply(next, connection)
            try connection.commit()
            return true
        } catch let error as PostgresError {
            throw StorageProblem(error)
        } catch let problem as StorageProblem {
            throw problem
        } catch {
            throw StorageProblem("The database's schema cannot be brought up to date: \(error).")
        }
    }

    private func version(_ connection: PostgresConnection) throws -> Int {
        // Not IF NOT EXISTS: that asks for the permission to make a schema also when it is there.
        if try connection.row("SELECT 1 FROM pg_namespace WHERE nspname = ?", [schema]) == nil {
            try connection.script("CREATE SCHEMA \"\(schema)\"")
        }
        if try connection.row("SELECT 1 FROM pg_tables WHERE schemaname = ? AND tablename = 'schema_version'", [schema])
            == nil
        {
            try connection.script("CREATE TABLE schema_version (version BIGINT PRIMARY KEY)")
        }
        return try connection.value("SELECT max(version) FROM schema_version") ?? 0
    }

    private func apply(_ migration: Migration, _ connection: PostgresConnection) throws {
        do {
            try connection.script(migration.postgres)
        } catch let error as PostgresError where !connection.isBroken {
            throw migration.failed(error)
        }
        try connection.execute("INSERT INTO schema_version (version) VALUES (?)", [migration.number])
    }
}
