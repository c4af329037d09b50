import Storage
import StorageTesting
import Testing

@testable import SharedProtocol
@testable import ledger_service

/// The third migration makes tables of SQLite anew: what was in them stays, and so do their rules.
@Suite(.bothEngines) struct RefundMigrationTests {
    private static func event(_ request: String, billed: Int, isCorrection: Int = 0) -> String {
        """
        INSERT INTO usage_events (request, is_correction, time, day, user_id, source, model, prompt, completion,
            is_estimated, started, duration_ms, outcome, billed, written_off, cost)
        VALUES ('\(request)', \(isCorrection), 5, '2026-05-28', 1, 'api', 'small', \(billed), 0, 0, 5, 1, 'completed',
            \(billed), 0, 0)
        """
    }

    private static func entry(_ kind: String, _ tokens: Int, request: String?) -> String {
        """
        INSERT INTO entries (pool_id, time, kind, tokens, request)
        VALUES ((SELECT min(id) FROM pools), 5, '\(kind)', \(tokens), \(request.map { "'\($0)'" } ?? "NULL"))
        """
    }

    private func migrated() async throws -> (TestDatabase, ServiceDatabase) {
        let store = try TestDatabase()
        try await store.open(.ledger, Array(Schema.migrations.prefix(2))).write { connection in
            try connection.execute(
                """
                INSERT INTO pools (holder, name, balance, reserved, has_started, accrued_until, remainder)
                VALUES ('user:1', 'default', 93, 0, 1, 5, 0)
                """)
            try connection.execute(Self.entry("grant", 100, request: nil))
            try connection.execute(Self.entry("post", -7, request: "r1"))
            try connection.execute(Self.event("r1", billed: 7))
        }
        return (store, try store.open(.ledger, Schema.migrations))
    }

    @Test func whatWasThereStays() async throws {
        let (store, database) = try await migrated()
        let (entries, billed) = try await database.read { connection in
            (
                try connection.value("SELECT sum(tokens) FROM entries") as Int64?,
                try connection.value("SELECT billed FROM usage_events WHERE day = '2026-05-28'") as Int64?
            )
        }
        #expect(entries == 93)
        #expect(billed == 7)
        withExtendedLifetime(store) {}
    }

    @Test func aCorrectionMayGiveBack() async throws {
        let (store, database) = try await migrated()
        try await database.write { connection in
            try connection.execute(Self.entry("post", 4, request: "r1"))
            try connection.execute(Self.event("r1", billed: -4, isCorrection: 1))
        }
        let billed: Int64? = try await database.read { try $0.value("SELECT sum(billed) FROM usage_events") }
        #expect(billed == 3)
        withExtendedLifetime(store) {}
    }

    @Test(arguments: [
        event("r2", billed: -1), event("r1", billed: 3), entry("grant", -1, request: nil),
        entry("capped", 1, request: nil), entry("post", -1, request: nil), "UPDATE entries SET tokens = 1",
        "DELETE FROM entries", "UPDATE usage_events SET billed = 0", "DELETE FROM usage_events",
    ])
    func allElseIsRefusedAsBefore(statement: String) async throws {
        let (store, database) = try await migrated()
        await #expect(throws: CallError.self) { try await database.write { try $0.execute(statement) } }
        withExtendedLifetime(store) {}
    }
}
