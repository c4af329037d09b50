import GRDB

/// Why a service cannot start with its database: a whole sentence for the operator, without passwords.
public struct StorageProblem: Error, CustomStringConvertible {
    public let description: String
    /// It may pass by itself: the server cannot be reached, or is starting.
    public let isTransient: Bool

    public init(_ description: String, isTransient: Bool = false) {
        self.description = description
        self.isTransient = isTransient
    }
}

extension Error {
    /// What the database says, in words that are safe to show: no SQL, no values, no path, no address.
    var storageReason: String {
        switch self {
        case let error as DatabaseError: error.reason
        case let error as PostgresError: error.reason
        default: "an internal error"
        }
    }
}

extension DatabaseError {
    fileprivate var reason: String {
        switch resultCode {
        case .SQLITE_FULL: "the disk is full"
        case .SQLITE_READONLY: "the file is read-only"
        case .SQLITE_BUSY, .SQLITE_LOCKED: "another program holds its lock"
        case .SQLITE_IOERR: "the disk reports an error"
        case .SQLITE_CANTOPEN: "the file cannot be opened"
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: "the file is damaged or no database"
        case .SQLITE_CONSTRAINT: "a rule of the schema was broken"
        default: "SQLite answered \(resultCode.rawValue)"
        }
    }
}
