import NIOCore
import SharedProtocol

/// What can be asked of a PostgreSQL server apart from a service's own data. Blocks, some seconds at most.
public enum PostgresServer {
    /// How many connections the server admits, of all its users together.
    public static func connectionLimit(of url: Secret) throws(StorageProblem) -> Int {
        do {
            let connection = try open(url)
            return try connection.value("SELECT CAST(current_setting('max_connections') AS BIGINT)") ?? 0
        } catch let error as PostgresError {
            throw StorageProblem(error)
        } catch {
            throw (error as? StorageProblem) ?? StorageProblem("The database server cannot be asked: \(error).")
        }
    }

    /// Runs statements outside of a transaction. For tests, which make and remove databases.
    package static func run(_ sql: String, at url: Secret) throws {
        let connection = try open(url)
        connection.deadline = .now() + .seconds(60)
        _ = try connection.simple("SET statement_timeout TO 0")
        _ = try connection.simple(sql)
    }

    private static func open(_ url: Secret) throws -> PostgresConnection {
        let settings = try PostgresSettings(url, schema: "public")
        let connection = try PostgresConnection.open(settings, until: .now() + PostgresSettings.connectLimit)
        try connection.beginSession(settings)
        return connection
    }
}
