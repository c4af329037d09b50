/// One row of a result. Columns are got by position (the cheaper way) or by name; the type is the one that is asked for:
/// `let id: Int64 = row[0]`, `row["problem"] as String?`.
///
/// A column that is not there, or has another type, is a mistake in the statement and ends the process.
public struct SQLRow: Sendable {
    @usableFromInline let values: [SQLValue]
    @usableFromInline let names: [String]

    init(_ values: [SQLValue], names: [String]) {
        self.values = values
        self.names = names
    }

    @inlinable public subscript<T: SQLConvertible>(_ index: Int) -> T {
        guard let value = T(values[index]) else { preconditionFailure("column \(index) is no \(T.self)") }
        return value
    }

    @inlinable public subscript<T: SQLConvertible>(_ name: String) -> T {
        guard let index = names.firstIndex(of: name) else { preconditionFailure("there is no column \(name)") }
        return self[index]
    }
}
