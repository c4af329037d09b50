/// Where the services keep their data, from `app.database_url`.
public enum DatabaseURL: Sendable, Hashable {
    /// The file that the services' own files lie beside; absolute.
    case sqlite(path: String)
    /// The whole URL, which may hold a password.
    case postgres(Secret)

    /// - Parameter folder: what a relative path is relative to.
    init?(_ text: String, relativeTo folder: String) {
        if text.hasPrefix("postgres://") || text.hasPrefix("postgresql://") {
            self = .postgres(Secret(text))
        } else if text.hasPrefix("sqlite:///") {
            let path = text.dropFirst("sqlite:///".count)
            guard let name = path.split(separator: "/").last, !path.hasSuffix("/"), name != ":memory:" else {
                return nil
            }
            self = .sqlite(path: FilePaths.absolute(String(path), relativeTo: folder))
        } else {
            return nil
        }
    }
}

/// Where the shared rate-limit counters are, from `rate_limiting.storage_url`.
public enum RedisAddress: Sendable, Hashable {
    case tcp(HostAndPort, password: Secret?, database: Int)
    case unix(path: String)

    /// Reads `redis://[:password@]host[:port][/database]` or `unix:///path`.
    init?(_ text: String) {
        if text.hasPrefix("unix:///") {
            let path = String(text.dropFirst("unix://".count))
            guard path.utf8.count > 1, path.utf8.count <= FilePaths.longestSocketPath else { return nil }
            self = .unix(path: path)
            return
        }
        guard text.hasPrefix("redis://") else { return nil }
        var rest = text.dropFirst("redis://".count)
        var password: Secret?
        if let at = rest.lastIndex(of: "@") {
            guard rest.hasPrefix(":") else { return nil }
            password = Secret(String(rest[..<at].dropFirst()))
            rest = rest[rest.index(after: at)...]
        }
        let parts = rest.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let place = parts.first.flatMap({ HostAndPort($0, defaultPort: 6379) }), place.port > 0 else {
            return nil
        }
        let number = parts.count == 2 ? parts[1] : ""
        guard let database = number.isEmpty ? 0 : UInt16(number) else { return nil }
        self = .tcp(place, password: password, database: Int(database))
    }
}
