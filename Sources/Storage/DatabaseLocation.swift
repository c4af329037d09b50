import SharedProtocol

/// Where a service keeps its data. `app.database_url` names one place for all of them:
///
/// - one SQLite file, beside which every service has its own, because a SQLite file belongs to one process:
///   `sqlite:///lumen.db` becomes `lumen.ledger.db` for the ledger;
/// - one PostgreSQL database, in which every service has a schema of its own, shared by its instances.
public enum DatabaseLocation: Sendable, Hashable {
    /// - Parameter path: absolute.
    case sqlite(path: String)
    /// - Parameter url: may hold a password.
    case postgres(url: Secret, schema: String, pool: DatabasePoolConfiguration)

    /// - Parameter pool: `app.db_pool`; no effect with SQLite.
    public init(of service: ServiceName, beside url: DatabaseURL, pool: DatabasePoolConfiguration = .standard) {
        switch url {
        case .sqlite(let path):
            let name = path.split(separator: "/").last ?? ""
            self = .sqlite(path: String(path.dropLast(name.count)) + Self.fileName(name, of: service))
        case .postgres(let url):
            self = .postgres(url: url, schema: service.rawValue, pool: pool)
        }
    }

    private static func fileName(_ name: Substring, of service: ServiceName) -> String {
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return "\(name).\(service)" }
        return "\(name[..<dot]).\(service)\(name[dot...])"
    }
}
