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
        let rows: Int? = try await database.read {
            try $0.value("SELECT (SELECT count(*) FROM a) + (SELECT count(*) FROM b)")
        }
        #expect(rows == 1)
        let version: Int? = try await database.read { try $0.value("PRAGMA user_version") }
        #expect(version == 2)
    }

    @Test func aStepThatFailsLeavesNothingBehind() async throws {
        let broken = Migration(2, "CREATE TABLE b (id INTEGER); INSERT INTO nowhere VALUES (1)")
        let problem = #expect(throws: StorageProblem.self) { try folder.open([first, broken]) }
        #expect(problem?.description.hasPrefix("Migration 2 ") == true)
        let database = try folder.open([first, second])
        #expect(try await database.read { try $0.rows("SELECT * FROM b").count } == 0)
    }

    @Test func aFileOfANewerReleaseIsRefused() throws {
        _ = try folder.open([first, second])
        let problem = #expect(throws: StorageProblem.self) { try folder.open([first]) }
        #expect(problem?.description.contains("newer release") == true)
    }
}
