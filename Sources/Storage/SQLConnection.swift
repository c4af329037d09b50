import SharedProtocol

/// What keeps the data.
public enum SQLEngine: Sendable, Hashable {
    case sqlite, postgres
}

/// One connection inside a transaction, used by one thread and not beyond the transaction. Statements have `?` where
/// their values go, on both engines, and are prepared once per connection: so their texts must be few. Nothing of theirs
/// may contain a `?` otherwise.
public protocol SQLConnection: AnyObject {
    var engine: SQLEngine { get }

    /// - Returns: how many rows an `INSERT`, `UPDATE` or `DELETE` changed.
    @discardableResult
    func execute(_ sql: String, _ values: [any SQLConvertible]) throws -> Int

    /// All rows that a statement gives, also one that changes something and says `RETURNING`.
    func rows(_ sql: String, _ values: [any SQLConvertible]) throws -> [SQLRow]

    /// Several statements without values, separated by semicolons, prepared for this once.
    func script(_ sql: String) throws
}

extension SQLConnection {
    @discardableResult
    public func execute(_ sql: String) throws -> Int { try execute(sql, []) }

    public func rows(_ sql: String) throws -> [SQLRow] { try rows(sql, []) }

    /// The first row, if there is one.
    public func row(_ sql: String, _ values: [any SQLConvertible] = []) throws -> SQLRow? {
        try rows(sql, values).first
    }

    /// The first column of the first row; nil when there is none, or it is NULL.
    public func value<T: SQLConvertible>(_ sql: String, _ values: [any SQLConvertible] = []) throws -> T? {
        try row(sql, values).flatMap { $0[0] as T? }
    }

    /// The id that an `INSERT … RETURNING id` made.
    public func insert(_ sql: String, _ values: [any SQLConvertible]) throws -> Int64 {
        guard let id: Int64 = try value(sql, values) else {
            throw CallError(.storageFailed, "The service's database did not take a row.")
        }
        return id
    }
}
