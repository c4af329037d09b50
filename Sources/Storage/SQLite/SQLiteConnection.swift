import GRDB

/// GRDB's connection, for the time of one transaction.
final class SQLiteConnection: SQLConnection {
    let database: Database

    init(_ database: Database) { self.database = database }

    var engine: SQLEngine { .sqlite }

    func execute(_ sql: String, _ values: [any SQLConvertible]) throws -> Int {
        try statement(sql, values).execute()
        return database.changesCount
    }

    func rows(_ sql: String, _ values: [any SQLConvertible]) throws -> [SQLRow] {
        let statement = try statement(sql, values)
        let cursor = try Row.fetchCursor(statement)
        let names = statement.columnNames
        var rows: [SQLRow] = []
        while let row = try cursor.next() {
            rows.append(SQLRow(names.indices.map { SQLValue(row[$0] as DatabaseValue) }, names: names))
        }
        return rows
    }

    func script(_ sql: String) throws { try database.execute(sql: sql) }

    /// Values are bound without `StatementArguments`, whose making costs as much as the statement.
    private func statement(_ sql: String, _ values: [any SQLConvertible]) throws -> Statement {
        let statement = try database.cachedStatement(sql: sql)
        // Forgets the values of before, and that there were to be any.
        statement.setUncheckedArguments(StatementArguments())
        for (index, value) in values.enumerated() {
            let code = value.sqlValue.bind(to: statement, at: CInt(index + 1))
            guard code == ResultCode.SQLITE_OK.rawValue else {
                throw DatabaseError(resultCode: ResultCode(rawValue: code))
            }
        }
        return statement
    }
}

extension SQLValue {
    fileprivate func bind(to statement: Statement, at index: CInt) -> CInt {
        switch self {
        case .null: DatabaseValue.null.bind(to: statement.sqliteStatement, at: index)
        case .integer(let number): number.bind(to: statement.sqliteStatement, at: index)
        case .text(let text): text.bind(to: statement.sqliteStatement, at: index)
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
