import GRDB

/// Why a service cannot start with its database: a whole sentence for the operator.
public struct StorageProblem: Error, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}

extension Error {
    /// What SQLite says, in words that are safe to show: no SQL, no values, no path.
    var storageReason: String {
        guard let error = self as? DatabaseError else { return "an internal error" }
        switch error.resultCode {
        case .SQLITE_FULL: return "the disk is full"
        case .SQLITE_READONLY: return "the file is read-only"
        case .SQLITE_BUSY, .SQLITE_LOCKED: return "another program holds its lock"
        case .SQLITE_IOERR: return "the disk reports an error"
        case .SQLITE_CANTOPEN: return "the file cannot be opened"
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: return "the file is damaged or no database"
        case .SQLITE_CONSTRAINT: return "a rule of the schema was broken"
        default: return "SQLite answered \(error.resultCode.rawValue)"
        }
    }
}
