import Foundation
import Logging
import SharedProtocol
import Storage
import Testing

struct ServiceDatabaseTests {
    let folder: ScratchFolder
    let notes = Migration(
        1, "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL CHECK (text <> '')) STRICT")

    init() throws { folder = try ScratchFolder() }

    @Test func commitsAreFullySynchronous() async throws {
        let database = try folder.open([notes])
        let level: Int? = try await database.write { try $0.value("PRAGMA synchronous") }
        #expect(level == 2)
    }

    @Test func aSecondProcessIsRefusedUntilTheFirstIsGone() throws {
        var first: ServiceDatabase? = try folder.open([notes])
        let problem = #expect(throws: StorageProblem.self) { try folder.open([notes]) }
        #expect(problem?.description.contains("in use by another process") == true)
        withExtendedLifetime(first) {}
        first = nil
        _ = try folder.open([notes])
    }

    @Test func theFileIsReadableByItsOwnerOnly() throws {
        _ = try folder.open([notes])
        for suffix in ["", "-wal", ".lock"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: folder.path + "/lumen.ledger.db" + suffix)
            #expect(attributes[.posixPermissions] as? Int == 0o600, "\(suffix)")
        }
    }

    @Test func aMissingFolderIsRefusedWithASentence() throws {
        let location = try DatabaseLocation(of: .ledger, beside: .sqlite(path: folder.path + "/none/lumen.db"))
        let problem = #expect(throws: StorageProblem.self) {
            try ServiceDatabase(at: location, migrations: [notes], logger: .init(label: "test"))
        }
        #expect(problem?.description.contains("No such file or directory") == true)
    }

    @Test func aFailedWriteChangesNothingAndTellsNoValues() async throws {
        let database = try folder.open([notes])
        let error = await #expect(throws: CallError.self) {
            try await database.write { connection in
                try connection.execute("INSERT INTO notes (text) VALUES (?)", ["a secret"])
                try connection.execute("INSERT INTO notes (text) VALUES (?)", [""])
            }
        }
        #expect(error?.code == .storageFailed)
        #expect(error?.message == "The service's database could not be written: a rule of the schema was broken.")
        #expect(try await database.read { try $0.rows("SELECT * FROM notes").count } == 0)
    }

    @Test func aServicesOwnRefusalPassesThrough() async throws {
        let database = try folder.open([notes])
        let error = await #expect(throws: CallError.self) {
            try await database.read { _ in throw CallError(.notFound, "No such note.") }
        }
        #expect(error == CallError(.notFound, "No such note."))
    }

    @Test func aCancelledTaskStillCommits() async throws {
        let database = try folder.open([notes])
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await database.write { try $0.execute("INSERT INTO notes (text) VALUES ('kept')") }
        }
        try await task.value
        #expect(try await database.read { try $0.rows("SELECT * FROM notes").count } == 1)
    }
}
