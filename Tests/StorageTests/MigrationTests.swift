import GRDB
import SharedProtocol
import Storage
import Testing

struct MigrationTests {
    let folder: ScratchFolder
    let first = Migration(1, "CREATE TABLE a (id INTEGER); INSERT INTO a VALUES (1)")
    let second = Migration(2, "CREATE TABLE b (id INTEGER)")

    init() throws { folder = try ScratchFolder() }

    @Test func eachStepRunsOnce() async throws {
        _ = try folder.open([first])
        let database = try folder.open([first, second])
        let (rows, version) = try await database.read { database in
            try (
                Int.fetchOne(database, sql: "SELECT (SELECT count(*) FROM a) + (SELECT count(*) FROM b)"),
                Int.fetchOne(database, sql: "PRAGMA user_version")
            )
        }
        #expect(rows == 1)
        #expect(version == 2)
    }

    @Test func aStepThatFailsLeavesNothingBehind() async throws {
        let broken = Migration(2, "CREATE TABLE b (id INTEGER); INSERT INTO nowhere VALUES (1)")
        let problem = #expect(throws: StorageProblem.self) { try folder.open([first, broken]) }
        #expect(problem?.description.hasPrefix("Migration 2 ") == true)
        let database = try folder.open([first, second])
        #expect(try await database.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM b") } == 0)
    }

    @Test func aFileOfANewerReleaseIsRefused() throws {
        _ = try folder.open([first, second])
        let problem = #expect(throws: StorageProblem.self) { try folder.open([first]) }
        #expect(problem?.description.contains("newer release") == true)
    }
}
