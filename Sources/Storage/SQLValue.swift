/// A value of a statement, as both engines have it. Booleans are 0 and 1.
public enum SQLValue: Sendable, Hashable {
    case null
    case integer(Int64)
    case text(String)
}

/// What can be given to a statement and read out of a row: `Int64`, `Int`, `String`, `Bool`, and each of them optional.
public protocol SQLConvertible: Sendable {
    var sqlValue: SQLValue { get }
    /// Nil when the value is of another type, or NULL for one that is not optional.
    init?(_ value: SQLValue)
}

extension SQLValue: SQLConvertible {
    @inlinable public var sqlValue: SQLValue { self }
    @inlinable public init?(_ value: SQLValue) { self = value }
}

extension Int64: SQLConvertible {
    @inlinable public var sqlValue: SQLValue { .integer(self) }
    @inlinable public init?(_ value: SQLValue) {
        guard case .integer(let number) = value else { return nil }
        self = number
    }
}

extension Int: SQLConvertible {
    @inlinable public var sqlValue: SQLValue { .integer(Int64(self)) }
    @inlinable public init?(_ value: SQLValue) {
        guard case .integer(let number) = value else { return nil }
        self.init(number)
    }
}

extension Bool: SQLConvertible {
    @inlinable public var sqlValue: SQLValue { .integer(self ? 1 : 0) }
    @inlinable public init?(_ value: SQLValue) {
        guard case .integer(let number) = value else { return nil }
        self = number != 0
    }
}

extension String: SQLConvertible {
    @inlinable public var sqlValue: SQLValue { .text(self) }
    @inlinable public init?(_ value: SQLValue) {
        guard case .text(let text) = value else { return nil }
        self = text
    }
}

extension Optional: SQLConvertible where Wrapped: SQLConvertible {
    @inlinable public var sqlValue: SQLValue { self?.sqlValue ?? .null }
    @inlinable public init?(_ value: SQLValue) {
        guard value != .null else {
            self = .none
            return
        }
        guard let wrapped = Wrapped(value) else { return nil }
        self = .some(wrapped)
    }
}
