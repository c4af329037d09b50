import Storage

/// The number that counts the changes which took access away. It is kept in the database, so that what other services
/// read before a restart is known to be older than what was revoked after it.
enum Revision {
    static func current(_ connection: any SQLConnection) throws -> Int64 {
        guard let revision: Int64 = try connection.value("SELECT revision FROM revision") else {
            preconditionFailure("the first migration makes the row, and nothing removes it")
        }
        return revision
    }

    /// On which other instances are told of a change.
    static let channel = "lumen_revision"

    /// Counts a change, in the transaction that makes it.
    static func advance(_ connection: any SQLConnection) throws -> Int64 {
        try connection.execute("UPDATE revision SET revision = revision + 1")
        if connection.engine == .postgres { try connection.execute("NOTIFY \(channel)") }
        return try current(connection)
    }
}
