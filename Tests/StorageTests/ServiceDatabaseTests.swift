import SharedProtocol
import Storage
import StorageTesting
import Testing

@Suite(.bothEngines) struct ServiceDatabaseTests {
    let test: TestDatabase
    let database: ServiceDatabase

    init() throws {
        test = try TestDatabase()
        database = try test.open(
            .auth,
            [
                Migration(
                    1,
                    sqlite: "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL CHECK (text <> '')) STRICT",
                    postgres: """
                        CREATE TABLE notes (
                            id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text TEXT NOT NULL CHECK (text <> ''))
                        """)
            ])
    }

    private var count: Int {
        get async throws { try await database.read { try $0.rows("SELECT * FROM notes").count } }
    }

    @Test func aFailedWriteChangesNothingAndTellsNoValues() async throws {
        let error = await #expect(throws: CallError.self) {
            try await database.write { connection in
                try connection.execute("INSERT INTO notes (text) VALUES (?)", ["a secret"])
                try connection.execute("INSERT INTO notes (text) VALUES (?)", [""])
            }
        }
        #expect(error?.code == .storageFailed)
        #expect(error?.message == "The service's database could not be written: a rule of the schema was broken.")
        #expect(try await count == 0)
    }

    @Test func aServicesOwnRefusalPassesThroughAndUndoesTheWrite() async throws {
        let error = await #expect(throws: CallError.self) {
            try await database.write { connection in
                try connection.execute("INSERT INTO notes (text) VALUES (?)", ["x"])
                throw CallError(.notFound, "No such note.")
            }
        }
        #expect(error == CallError(.notFound, "No such note."))
        #expect(try await count == 0)
    }

    @Test func aReadMayNotWrite() async throws {
        let error = await #expect(throws: CallError.self) {
            _ = try await database.read { try $0.execute("INSERT INTO notes (text) VALUES ('x')") }
        }
        #expect(error?.code == .storageFailed)
    }

    @Test func aCancelledTaskStillCommits() async throws {
        let database = database
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await database.write { try $0.execute("INSERT INTO notes (text) VALUES ('kept')") }
        }
        try await task.value
        #expect(try await count == 1)
    }

    @Test func valuesComeBackAsTheyWere() async throws {
        let row = try await database.read { connection in
            try connection.row(
                """
                SELECT CAST(? AS BIGINT) AS big, CAST(? AS BIGINT) AS small, CAST(? AS TEXT) AS words,
                    CAST(? AS BIGINT) AS flag, CAST(? AS TEXT) AS none, CAST(? AS TEXT) AS one
                """,
                [Int64.max, Int64.min, "wörd ' \\ $1", true, String?.none, String?.some("")])
        }
        let found = try #require(row)
        #expect(found["big"] == Int64.max)
        #expect(found[1] == Int64.min)
        #expect(found["words"] == "wörd ' \\ $1")
        #expect(found["flag"] == true)
        #expect(found["none"] == String?.none)
        #expect(found["one"] as String? == "")
    }

    @Test func changedRowsAndNewIdsAreTold() async throws {
        let (ids, none, both) = try await database.write { connection in
            let ids = try ["a", "b"].map {
                try connection.insert("INSERT INTO notes (text) VALUES (?) RETURNING id", [$0])
            }
            return (
                ids, try connection.execute("UPDATE notes SET text = 'c' WHERE id = ?", [-1]),
                try connection.execute("UPDATE notes SET text = ?", ["c"])
            )
        }
        #expect(Set(ids).count == 2)
        #expect(none == 0)
        #expect(both == 2)
    }

    /// Written as if there were one writer: read, then write what follows from it.
    @Test func writesThatReadFirstDoNotLoseEachOther() async throws {
        try await database.write { try $0.execute("INSERT INTO notes (text) VALUES ('0')") }
        try await withThrowingTaskGroup { group in
            for _ in 0..<20 {
                group.addTask { [database] in
                    try await database.write { connection in
                        let text: String? = try connection.value("SELECT text FROM notes")
                        let number = text.flatMap { Int($0) } ?? 0
                        try connection.execute("UPDATE notes SET text = ?", [String(number + 1)])
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await database.read { try $0.value("SELECT text FROM notes") } == "20")
    }
}
