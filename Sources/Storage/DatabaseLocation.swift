import SharedProtocol

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Where a service keeps its data. `app.database_url` names one file; with SQLite every service has its own beside it,
/// because a SQLite file belongs to one process: `sqlite:///lumen.db` becomes `lumen.ledger.db` for the ledger.
public struct DatabaseLocation: Sendable, Hashable {
    /// The service's file, absolute.
    public let path: String

    /// - Throws: a sentence, when the URL names no file that this version can keep.
    public init(of service: ServiceName, beside url: DatabaseURL) throws(StorageProblem) {
        guard case .sqlite(let path) = url else {
            throw StorageProblem(
                "app.database_url names PostgreSQL, which this version cannot use yet; use sqlite:///….")
        }
        let name = path.split(separator: "/").last ?? ""
        self.path = String(path.dropLast(name.count)) + Self.fileName(name, of: service)
    }

    private static func fileName(_ name: Substring, of service: ServiceName) -> String {
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return "\(name).\(service)" }
        return "\(name[..<dot]).\(service)\(name[dot...])"
    }

    /// Creates the file if it is not there, readable by its owner only; SQLite gives its log the same mode.
    func createPrivateFile() throws(StorageProblem) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw StorageProblem("The database \(path) cannot be opened: \(String(cString: strerror(errno))).")
        }
        close(descriptor)
    }
}
