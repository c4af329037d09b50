import Foundation
import Logging
import SharedProtocol
import Storage
import StorageTesting
import Testing

/// What holds for SQLite alone.
struct SQLiteTests {
    let test: TestDatabase
    let notes = Migration(1, "CREATE TABLE notes (text TEXT) STRICT")

    init() throws { test = try TestDatabase(.sqlite) }

    @Test func commitsAreFullySynchronous() async throws {
        let level: Int? = try await test.open(.auth, [notes]).write { try $0.value("PRAGMA synchronous") }
        #expect(level == 2)
    }

    @Test func aSecondProcessIsRefusedUntilTheFirstIsGone() throws {
        var first: ServiceDatabase? = try test.open(.auth, [notes])
        let problem = #expect(throws: StorageProblem.self) { try test.open(.auth, [notes]) }
        #expect(problem?.description.contains("in use by another process") == true)
        withExtendedLifetime(first) {}
        first = nil
        _ = try test.open(.auth, [notes])
    }

    @Test func theFileIsReadableByItsOwnerOnly() throws {
        let database = try test.open(.auth, [notes])
        defer { withExtendedLifetime(database) {} }
        for suffix in ["", "-wal", ".lock"] {
            let attributes = try FileManager.default.attributesOfItem(
                atPath: test.folder + "/lumen.auth.db" + suffix)
            #expect(attributes[.posixPermissions] as? Int == 0o600, "\(suffix)")
        }
    }

    @Test func aMissingFolderIsRefusedWithASentence() throws {
        let location = DatabaseLocation(of: .auth, beside: .sqlite(path: test.folder + "/none/lumen.db"))
        let problem = #expect(throws: StorageProblem.self) {
            try ServiceDatabase(at: location, migrations: [notes], logger: .init(label: "test"))
        }
        #expect(problem?.description.contains("No such file or directory") == true)
    }
}
