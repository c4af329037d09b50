import Foundation
import NIOConcurrencyHelpers
import SharedProtocol
import Storage
import StorageTesting
import Testing

@Suite(.bothEngines) struct MigrationTests {
    let test: TestDatabase
    let first = Migration(1, "CREATE TABLE a (id BIGINT); INSERT INTO a VALUES (1)")
    let second = Migration(2, "CREATE TABLE b (id BIGINT)")

    init() throws { test = try TestDatabase() }

    @Test func eachStepRunsOnce() async throws {
        _ = try test.open(.auth, [first])
        let database = try test.open(.auth, [first, second])
        let rows: Int? = try await database.read {
            try $0.value("SELECT (SELECT count(*) FROM a) + (SELECT count(*) FROM b)")
        }
        #expect(rows == 1)
        let version: Int? = try await database.read { connection in
            try connection.value(
                connection.engine == .sqlite ? "PRAGMA user_version" : "SELECT max(version) FROM schema_version")
        }
        #expect(version == 2)
    }

    @Test func aStepThatFailsLeavesNothingBehind() async throws {
        let broken = Migration(2, "CREATE TABLE b (id BIGINT); INSERT INTO nowhere VALUES (1)")
        let problem = #expect(throws: StorageProblem.self) { try test.open(.auth, [first, broken]) }
        #expect(problem?.description.hasPrefix("Migration 2 ") == true)
        let database = try test.open(.auth, [first, second])
        #expect(try await database.read { try $0.rows("SELECT * FROM b").count } == 0)
    }

    @Test func aDatabaseOfANewerReleaseIsRefused() throws {
        _ = try test.open(.auth, [first, second])
        let problem = #expect(throws: StorageProblem.self) { try test.open(.auth, [first]) }
        #expect(problem?.description.contains("newer release") == true)
    }

    @Test func instancesThatStartAtOnceMigrateOnce() async throws {
        guard test.engine == .postgres else { return }
        let slow = Migration(2, sqlite: "", postgres: "SELECT pg_sleep(0.1); CREATE TABLE b (id BIGINT)")
        let problems = NIOLockedValueBox<[String]>([])
        await withCheckedContinuation { done in
            // Opening blocks, and Swift's pool has too few threads for eight.
            DispatchQueue.global().async {
                DispatchQueue.concurrentPerform(iterations: 8) { _ in
                    do {
                        _ = try test.open(.auth, [first, slow])
                    } catch {
                        problems.withLockedValue { $0.append("\(error)") }
                    }
                }
                done.resume()
            }
        }
        #expect(problems.withLockedValue { $0 } == [])
        let database = try test.open(.auth, [first, slow])
        #expect(try await database.read { try $0.rows("SELECT * FROM a").count } == 1)
    }
}
