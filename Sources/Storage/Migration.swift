import GRDB

/// One forward step of a service's schema. A step that was released is never changed: the next one mends it.
public struct Migration: Sendable {
    /// 1, 2, 3 …
    public let number: Int
    /// SQL statements, separated by semicolons.
    public let sql: String

    public init(_ number: Int, _ sql: String) {
        self.number = number
        self.sql = sql
    }

    /// Applies what is missing, each step in a transaction of its own together with its number.
    static func apply(_ migrations: [Migration], to database: Database) throws {
        precondition(
            migrations.map(\.number) == Array(migrations.indices.map { $0 + 1 }), "migrations are numbered 1, 2, 3 …")
        let current = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        guard current <= migrations.count else {
            throw StorageProblem(
                "The database's schema is version \(current), written by a newer release; this one knows only version "
                    + "\(migrations.count)."
            )
        }
        for migration in migrations.dropFirst(current) {
            do {
                try database.inTransaction {
                    try database.execute(sql: migration.sql)
                    try database.execute(sql: "PRAGMA user_version = \(migration.number)")
                    return .commit
                }
            } catch {
                throw StorageProblem("Migration \(migration.number) of the database failed: \(error).")
            }
        }
    }
}
