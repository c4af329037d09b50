import GRDB

/// GRDB's connection, for the time of one transaction.
final class SQLiteConnection: SQLConnection {
    let database: Database

    init(_ database: Database) { self.database = database }

    var engine: SQLEngine { .sqlite }

    func execute(_ sql: String, _ values: [any SQLConvertible]) throws -> Int {
        try database.cachedStatement(sql: sql).execute(arguments: Self.arguments(values))
        return database.changesCount
    }

    func rows(_ sql: String, _ values: [any SQLConvertible]) throws -> [SQLRow] {
        let statement = try database.cachedStatement(sql: sql)
        let cursor = try Row.fetchCursor(statement, arguments: Self.arguments(values))
        let names = statement.columnNames
        var rows: [SQLRow] = []
        while let row = try cursor.next() {
            rows.append(SQLRow(names.indices.map { SQLValue(row[$0] as DatabaseValue) }, names: names))
        }
        return rows
    }

    func script(_ sql: String) throws { try database.execute(sql: sql) }

    private static func arguments(_ values: [any SQLConvertible]) -> StatementArguments {
        StatementArguments(values.map { DatabaseValue($0.sqlValue) })
    }
}

extension DatabaseValue {
    fileprivate init(_ value: SQLValue) {
        switch value {
        case .null: self = .null
        case .integer(let number): self = number.databaseValue
        case .text(let text): self = text.databaseValue
        }
    }
}

extension SQLValue {
    fileprivate init(_ value: DatabaseValue) {
        switch value.storage {
        case .null: self = .null
        case .int64(let number): self = .integer(number)
        case .string(let text): self = .text(text)
        case .double, .blob: preconditionFailure("no table has such a column")
        }
    }
}
