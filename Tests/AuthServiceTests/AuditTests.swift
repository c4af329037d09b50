import SharedProtocol
import Storage
import StorageTesting
import Testing

@testable import auth_service

/// The log of what admins change, and whether tampering with it is seen.
@Suite(.bothEngines) struct AuditTests {
    private let fixture: AuthFixture
    private let auth: RunningAuth

    init() async throws {
        fixture = try AuthFixture()
        auth = try await fixture.start()
    }

    private func note(_ count: Int) async throws {
        for number in 1...count {
            let action = Auth.AuditAction(name: "budget.set", subject: "user \(number)", before: nil, after: "100")
            _ = try await auth.call(Auth.Audit(action: action, by: .admin))
        }
    }

    private var verification: Auth.AuditVerification {
        get async throws { try await auth.call(Auth.VerifyAudit()) }
    }

    @Test func anEntrySaysWhoWhatWhenAndFromWhere() async throws {
        let request = RequestID("req_x")
        let action = Auth.AuditAction(name: "budget.set", subject: "user 7 a@b.edu", before: "10", after: "20")
        _ = try await auth.caller.call(
            Auth.Audit(action: action, by: .admin), request: request, timeout: .seconds(30))
        let entries = try await auth.call(Auth.ReadAudit(limit: 10))
        #expect(
            entries == [Auth.AuditEntry(number: 1, time: fixture.now, by: .admin, action: action, request: request)])
        #expect(await auth.failure(Auth.Audit(action: .init(name: "", subject: "x"), by: .admin)) == .refused)
    }

    @Test func entriesAreReadFromTheLatestByPageAndText() async throws {
        try await note(5)
        _ = try await auth.call(Auth.CreateUser(email: "Ann_B@example.edu", by: .admin))
        func numbers(_ call: Auth.ReadAudit) async throws -> [Int64] { try await auth.call(call).map(\.number) }
        #expect(try await numbers(Auth.ReadAudit(limit: 3)) == [6, 5, 4])
        #expect(try await numbers(Auth.ReadAudit(before: 4, limit: 200)) == [3, 2, 1])
        #expect(try await numbers(Auth.ReadAudit(after: 2, limit: 3)) == [5, 4, 3])
        #expect(try await numbers(Auth.ReadAudit(after: 4, search: "user", limit: 3)) == [6, 5])
        #expect(try await numbers(Auth.ReadAudit(search: "ANN_B", limit: 200)) == [6])
        #expect(try await numbers(Auth.ReadAudit(search: "user.create", limit: 200)) == [6])
        #expect(try await numbers(Auth.ReadAudit(search: "root@", limit: 2)) == [6, 5])
        #expect(try await numbers(Auth.ReadAudit(search: "192.0.2", limit: 1)) == [6])
        #expect(try await numbers(Auth.ReadAudit(search: "%", limit: 200)) == [])
        #expect(await auth.failure(Auth.ReadAudit(limit: 0)) == .invalidParams)
    }

    @Test func longTextsAreCutAndStrangeOnesSurvive() async throws {
        let long = String(repeating: "ü", count: 1000)
        let action = Auth.AuditAction(name: "x", subject: long, before: "a\0b", after: "\u{1F600}\n\"'")
        _ = try await auth.call(Auth.Audit(action: action, by: .admin))
        let stored = try #require(try await auth.call(Auth.ReadAudit(limit: 1)).first?.action)
        #expect(stored.subject == String(repeating: "ü", count: 500))
        #expect(stored.before == "a\u{FFFD}b")
        #expect(stored.after == action.after)
        #expect(try await verification.fault == nil)
    }

    @Test func aWholeLogVerifies() async throws {
        #expect(try await verification == Auth.AuditVerification(entries: 0, head: AuditRow.noHash))
        try await note(3)
        let three = try await verification
        #expect(three.entries == 3)
        #expect(three.fault == nil)
        try await note(1)
        let four = try await verification
        #expect(four.entries == 4)
        #expect(four.head != three.head)
    }

    @Test func theDatabaseRefusesToChangeEntries() async throws {
        try await note(2)
        for sql in ["UPDATE audit SET subject = 'x'", "DELETE FROM audit WHERE number = 1"] {
            await #expect(throws: CallError.self) { try await auth.database.write { try $0.execute(sql) } }
        }
        #expect(try await verification.entries == 2)
    }

    static let tamperings: [(sql: String, good: Int64)] = [
        ("UPDATE audit SET subject = 'user 9' WHERE number = 3", 2),
        ("UPDATE audit SET before = '' WHERE number = 3", 2),
        ("UPDATE audit SET actor = 2 WHERE number = 3", 2),
        ("UPDATE audit SET time = time + 1 WHERE number = 3", 2),
        ("UPDATE audit SET request = NULL WHERE number = 5", 4),
        ("UPDATE audit SET action = action || 's', subject = substr(subject, 2) WHERE number = 1", 0),
        ("DELETE FROM audit WHERE number = 3", 2),
        ("DELETE FROM audit WHERE number = 1", 0),
        // Removed, and the others renumbered.
        ("DELETE FROM audit WHERE number = 3; UPDATE audit SET number = number - 1 WHERE number > 3", 2),
        // Two of them swapped, hashes and all.
        (
            """
            UPDATE audit SET number = 99 WHERE number = 2; UPDATE audit SET number = 2 WHERE number = 3;
            UPDATE audit SET number = 3 WHERE number = 99
            """, 1
        ),
        // One that was never written.
        (
            """
            INSERT INTO audit (number, time, action, subject, hash)
            SELECT 6, time, action, subject, hash FROM audit WHERE number = 5
            """, 5
        ),
    ]

    @Test(arguments: tamperings) func whatWasDoneToItBehindOurBackIsFound(sql: String, good: Int64) async throws {
        try await note(4)
        _ = try await auth.caller.call(
            Auth.CreateUser(email: "a@b.edu", by: .admin), request: RequestID("req_1"), timeout: .seconds(30))
        #expect(try await verification.fault == nil)
        let drop =
            fixture.database.engine == .sqlite
            ? "DROP TRIGGER audit_stays; DROP TRIGGER audit_is_kept;" : "DROP TRIGGER audit_stays ON audit;"
        try await auth.database.write { try $0.script(drop + sql) }
        let found = try await verification
        #expect(found.entries == good)
        #expect(found.fault?.hasPrefix("entry \(good + 1) is ") == true)
    }

    /// The end can be cut off without a trace in what is left: for that, the head is to be written down.
    @Test func aLogThatWasCutShortHasAnotherHead() async throws {
        try await note(3)
        let before = try await verification
        try await auth.database.write { connection in
            try connection.script(
                connection.engine == .sqlite ? "DROP TRIGGER audit_is_kept" : "DROP TRIGGER audit_stays ON audit")
            try connection.execute("DELETE FROM audit WHERE number = 3")
        }
        let after = try await verification
        #expect(after.fault == nil)
        #expect(after.head != before.head)
    }

    @Test func fieldsCannotBeMovedIntoEachOther() {
        func hash(_ action: Auth.AuditAction) -> String {
            AuditRow(1, at: Timestamp(1), action, by: nil, nil).hash(after: AuditRow.noHash)
        }
        let hashes = [
            hash(.init(name: "ab", subject: "c")), hash(.init(name: "a", subject: "bc")),
            hash(.init(name: "a", subject: "b", before: "c")), hash(.init(name: "a", subject: "b", after: "c")),
            hash(.init(name: "a", subject: "b", before: "")), hash(.init(name: "a", subject: "b")),
        ]
        #expect(Set(hashes).count == hashes.count)
    }

    /// Whoever has the log must be able to check it in ten years, with any program.
    @Test func theHashIsWhatTheDocumentationSays() {
        let row = AuditRow(
            1, at: Timestamp(2), Auth.AuditAction(name: "a", subject: "b"), by: nil, RequestID("req_1"))
        #expect(row.hash(after: AuditRow.noHash) == "8bd5cf00c987cde65d96f7d7371ba3ce9713af8089ba72e4e1b2f1f090c8064c")
    }

    @Test func appendersDoNotLoseEachOther() async throws {
        let auths = fixture.database.engine == .sqlite ? [auth] : [auth, try await fixture.start()]
        await withTaskGroup(of: CallError.Code?.self) { group in
            for number in 0..<20 {
                group.addTask {
                    let action = Auth.AuditAction(name: "x", subject: "\(number)")
                    return await auths[number % auths.count].failure(Auth.Audit(action: action, by: .admin))
                }
            }
            for await failure in group { #expect(failure == nil) }
        }
        let found = try await verification
        #expect(found.entries == 20)
        #expect(found.fault == nil)
    }

    @Test func aChangeThatFailsLeavesNoEntry() async throws {
        _ = try await auth.call(Auth.CreateUser(email: "a@b.edu", by: .admin))
        #expect(await auth.failure(Auth.CreateUser(email: "A@B.edu", by: .admin)) == .refused)
        #expect(try await auth.auditedActions() == ["user.create"])
    }
}
