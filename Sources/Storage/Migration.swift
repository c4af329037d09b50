/// One forward step of a service's schema. A step that was released is never changed: the next one mends it.
public struct Migration: Sendable {
    /// 1, 2, 3 …
    public let number: Int
    /// SQL statements for each engine, separated by semicolons; empty when there is nothing to do.
    public let sqlite: String
    public let postgres: String

    /// One text that both engines understand.
    public init(_ number: Int, _ sql: String) { self.init(number, sqlite: sql, postgres: sql) }

    public init(_ number: Int, sqlite: String, postgres: String) {
        self.number = number
        self.sqlite = sqlite
        self.postgres = postgres
    }

    static func check(_ migrations: [Migration]) {
        precondition(
            migrations.map(\.number) == Array(migrations.indices.map { $0 + 1 }), "migrations are numbered 1, 2, 3 …")
    }

    /// Those that a database of version `current` does not have yet.
    static func missing(_ migrations: [Migration], current: Int) throws(StorageProblem) -> ArraySlice<Migration> {
        guard current <= migrations.count else {
            throw StorageProblem(
                "The database's schema is version \(current), written by a newer release; this one knows only version "
                    + "\(migrations.count)."
            )
        }
        return migrations.dropFirst(current)
    }

    func failed(_ error: any Error) -> StorageProblem {
        StorageProblem("Migration \(number) of the database failed: \(error).")
    }
}
