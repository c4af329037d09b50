import GRDB

/// The number that counts the changes which took access away. It is kept in the database, so that what other services
/// read before a restart is known to be older than what was revoked after it.
enum Revision {
    static func current(_ database: Database) throws -> Int64 {
        guard let revision = try Int64.fetchOne(database, sql: "SELECT revision FROM revision") else {
            preconditionFailure("the first migration makes the row, and nothing removes it")
        }
        return revision
    }

    /// Counts a change, in the transaction that makes it.
    static func advance(_ database: Database) throws -> Int64 {
        try database.execute(sql: "UPDATE revision SET revision = revision + 1")
        return try current(database)
    }
}
