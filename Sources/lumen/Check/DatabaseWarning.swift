import SharedProtocol
import Storage

/// Whether the PostgreSQL server admits all connections that Lumen may open.
struct DatabaseWarning {
    /// auth, ledger and web.
    static let services = 3
    /// For the operator's own tools and the server's upkeep.
    static let spare = 10

    /// A sentence when it does not, or cannot be asked; nothing with SQLite.
    static func sentence(for app: AppConfiguration) -> String? {
        guard case .postgres(let url) = app.databaseURL else { return nil }
        do throws(StorageProblem) {
            return sentence(for: app.databasePool, limit: try PostgresServer.connectionLimit(of: url))
        } catch {
            return "app.database_url: \(error)"
        }
    }

    static func sentence(for pool: DatabasePoolConfiguration, limit: Int) -> String? {
        let most = services * (pool.size + pool.maxOverflow)
        guard most > limit - spare else { return nil }
        return
            "app.db_pool: one instance each of auth, ledger and web may open \(most) connections, but PostgreSQL admits "
            + "\(limit) (max_connections), of which \(spare) should be left for others."
    }
}
