import Crypto
import HTTPTypes
import NIOCore
import SharedProtocol
import Storage
import StorageTesting
import Testing

@testable import web_service

/// What a repeat under the same key gets, and for how long.
@Suite(.bothEngines) struct IdempotencyKeysTests {
    private let test: TestDatabase
    private let database: ServiceDatabase
    private let keys: IdempotencyKeys
    private let name = IdempotencyKeys.Name(owner: KeyID(1), text: "k")

    init() throws {
        test = try TestDatabase()
        database = try test.open(.web, webMigrations)
        keys = IdempotencyKeys(database, writer: InstanceID("here"))
    }

    @Test func aFinishedReplyIsSentAgain() async throws {
        let reply = IdempotencyKeys.KeptReply(body: ByteBuffer(string: "{\"a\":\"\\u0000ü\"}"), lowered: (7, .key))
        try await run(name, "body").end(.billed(reply))
        for _ in 0..<2 {
            let again = try await again(name, "body")
            #expect(again.body == reply.body)
            #expect(again.lowered?.limit == 7 && again.lowered?.by == .key)
        }
    }

    @Test func anotherBodyIsRefusedAtAnyTime() async throws {
        let ticket = try await run(name, "body")
        #expect(await code(of: name, "other") == "idempotency_key_reused")
        await ticket.end(.billed(reply("answer")))
        #expect(await code(of: name, "other") == "idempotency_key_reused")
    }

    @Test func whatRunsIsNotRunTwice() async throws {
        let ticket = try await run(name, "body")
        #expect(await code(of: name, "body") == "idempotency_in_progress")
        await ticket.end(.billed(nil))
        #expect(await code(of: name, "body") == "idempotency_not_replayable")
    }

    @Test func ofManyAtOnceOneRuns() async throws {
        let other = IdempotencyKeys(database, writer: InstanceID("there"))
        let claims = await withTaskGroup(of: IdempotencyKeys.Ticket?.self) { group in
            for number in 0..<16 {
                group.addTask { try? await run(name, "body", by: number % 2 == 0 ? keys : other) }
            }
            return await group.reduce(into: []) { tickets, ticket in ticket.map { tickets.append($0) } }
        }
        #expect(claims.count == 1)
    }

    @Test func whatWasNotBilledMayRunAgain() async throws {
        try await run(name, "body").end(.notBilled)
        try await run(name, "other").end(.billed(nil))
    }

    @Test func aTicketThatIsLostCountsAsBilled() async throws {
        _ = try await run(name, "body")
        await keys.saveUnsaved()
        #expect(await code(of: name, "body") == "idempotency_not_replayable")
    }

    @Test func theFirstWordOfATicketCounts() async throws {
        let ticket = try await run(name, "body")
        await ticket.end(.billed(reply("answer")))
        await ticket.end(.notBilled)
        #expect(try await text(name, "body") == "answer")
    }

    @Test func keysOfOthersAreOthers() async throws {
        try await run(name, "body").end(.billed(reply("answer")))
        try await run(IdempotencyKeys.Name(owner: KeyID(2), text: "k"), "body").end(.notBilled)
    }

    @Test func itIsForgottenTenMinutesAfterItsEnd() async throws {
        let minute: Int64 = 60_000
        try await run(name, "body", at: 0).end(.billed(reply("answer")), at: Timestamp(5 * minute))
        #expect(try await text(name, "body", at: 14 * minute) == "answer")
        let ticket = try await run(name, "other", at: 15 * minute)
        await ticket.end(.billed(reply("new")), at: Timestamp(15 * minute))
        await keys.forgetOld(at: Timestamp(24 * minute))
        #expect(try await text(name, "other", at: 24 * minute) == "new")
        await keys.forgetOld(at: Timestamp(25 * minute))
        #expect(try await rows() == 0)
    }

    @Test func anEndThatComesTooLateIsNotTheNextRequests() async throws {
        let early = try await run(name, "body", at: 0)
        try await database.write { try $0.execute("UPDATE idempotency_keys SET ended = 0") }
        _ = try await run(name, "body", at: IdempotencyKeys.lifetime)
        await early.end(.notBilled)
        #expect(await code(of: name, "body") == "idempotency_in_progress")
    }

    @Test func longRepliesAreNotKept() async throws {
        try await run(name, "body").end(.billed(reply(String(repeating: "x", count: IdempotencyKeys.replyLimit))))
        #expect(try await text(name, "body").utf8.count == IdempotencyKeys.replyLimit)
        let other = IdempotencyKeys.Name(owner: KeyID(1), text: "long")
        try await run(other, "body").end(.billed(reply(String(repeating: "x", count: IdempotencyKeys.replyLimit + 1))))
        #expect(await code(of: other, "body") == "idempotency_not_replayable")
    }

    @Test func whatIsNoTextIsNotKept() async throws {
        for (number, bytes) in ([[0x7B, 0, 0x7D], [0x7B, 0xFF, 0x7D]] as [[UInt8]]).enumerated() {
            let name = IdempotencyKeys.Name(owner: KeyID(1), text: "\(number)")
            let reply = IdempotencyKeys.KeptReply(body: ByteBuffer(bytes: bytes), lowered: (7, .key))
            try await run(name, "body").end(.billed(reply))
            #expect(await code(of: name, "body") == "idempotency_not_replayable")
        }
    }

    @Test func theRepliesOfOneAPIKeyHaveABound() async throws {
        try await fill(count: 2, replyBytes: IdempotencyKeys.bytesPerKeyLimit / 2 - 3)
        let names = (0...1).map { IdempotencyKeys.Name(owner: KeyID(1), text: "name \($0)") }
        for name in names { try await run(name, "body").end(.billed(reply("six by"))) }
        #expect(try await text(names[0], "body") == "six by")
        #expect(await code(of: names[1], "body") == "idempotency_not_replayable")
        let other = IdempotencyKeys.Name(owner: KeyID(2), text: "k")
        try await run(other, "body").end(.billed(reply("six by")))
        #expect(try await text(other, "body") == "six by")
    }

    @Test func oneAPIKeyHasABound() async throws {
        try await fill(count: IdempotencyKeys.entriesPerKeyLimit - 1, replyBytes: 0)
        let last = try await run(name, "body")
        let next = IdempotencyKeys.Name(owner: KeyID(1), text: "next")
        #expect(await code(of: next, "body") == "service_unavailable")
        #expect(await code(of: name, "body") == "idempotency_in_progress")
        try await run(IdempotencyKeys.Name(owner: KeyID(2), text: "k"), "body").end(.notBilled)
        await last.end(.notBilled)
        try await run(next, "body").end(.notBilled)
    }

    @Test func whatADeadWebRanCountsAsBilled() async throws {
        let (here, there) = (InstanceID("here"), InstanceID("there"))
        if database.engine == .postgres { try await Presence(database: database, instance: there).renew() }
        try await Presence(database: database, instance: here).renew()
        let ticket = try await run(name, "body")
        try await Presence(database: database, instance: here).renew()
        #expect(await code(of: name, "body") == "idempotency_in_progress")
        try await database.write { try $0.execute("UPDATE webs SET seen = 0 WHERE instance = 'here'") }
        try await Presence(database: database, instance: there).renew()
        #expect(await code(of: name, "body") == "idempotency_not_replayable")
        // It was only silent, and does not let its requests be forgotten while they run.
        try await Presence(database: database, instance: here).renew()
        #expect(await code(of: name, "body") == "idempotency_in_progress")
        await keys.forgetOld(at: Timestamp(Timestamp.now().rawValue + 2 * IdempotencyKeys.lifetime))
        await ticket.end(.billed(reply("late")))
        #expect(try await text(name, "body") == "late")
    }

    @Test func whatADeadWebRanIsForgotten() async throws {
        _ = try await run(name, "body")
        try await Presence(database: database, instance: InstanceID("there")).renew()
        await keys.forgetOld(at: Timestamp(Timestamp.now().rawValue + IdempotencyKeys.lifetime))
        #expect(try await rows() == 0)
    }

    @Test func anEndThatWasSavedIsNotSavedAgain() async throws {
        let ticket = try await run(name, "body")
        let row = try await database.read { try $0.row("SELECT request FROM idempotency_keys") }
        let request = RequestID(try #require(row)[0] as String)
        await ticket.end(.billed(reply("answer")))
        try await database.write { [name] in
            try IdempotencyKeys.Row(name: name, request: request).save(.billed(nil), at: .now(), in: $0)
        }
        #expect(try await text(name, "body") == "answer")
    }

    @Test func anEndThatTheDatabaseDidNotTakeIsSavedLater() async throws {
        let billed = try await run(name, "body")
        let other = IdempotencyKeys.Name(owner: KeyID(1), text: "not billed")
        let notBilled = try await run(other, "body")
        try await database.write { try $0.execute("ALTER TABLE idempotency_keys RENAME TO away") }
        await billed.end(.billed(reply("answer")))
        await notBilled.end(.notBilled)
        await keys.saveUnsaved()
        #expect(await code(of: name, "body") == "service_unavailable")
        try await database.write { try $0.execute("ALTER TABLE away RENAME TO idempotency_keys") }
        #expect(await code(of: name, "body") == "idempotency_in_progress")
        await keys.saveUnsaved()
        #expect(await code(of: name, "body") == "idempotency_not_replayable")
        try await run(other, "body").end(.notBilled)
    }

    /// A commit whose success nobody heard of leaves no key behind that seems to run for ever.
    @Test func aClaimThatFailedIsTakenBack() async throws {
        let request = RequestID.random()
        try await database.write { try $0.execute("ALTER TABLE idempotency_keys RENAME TO away") }
        #expect(await code(of: name, "body", as: request) == "service_unavailable")
        try await database.write { connection in
            try connection.execute("ALTER TABLE away RENAME TO idempotency_keys")
            try connection.execute(
                "INSERT INTO idempotency_keys (owner, name, request, digest, writer) VALUES (1, 'k', ?, '', 'here')",
                [request.rawValue])
        }
        await keys.saveUnsaved()
        try await run(name, "body").end(.notBilled)
    }

    @Test func whatWaitsForTheDatabaseHasABound() async throws {
        try await database.write { try $0.execute("ALTER TABLE idempotency_keys RENAME TO away") }
        for _ in 0..<IdempotencyKeys.unsavedLimit { _ = await code(of: name, "body") }
        try await database.write { try $0.execute("ALTER TABLE away RENAME TO idempotency_keys") }
        #expect(await code(of: name, "body") == "service_unavailable")
        await keys.saveUnsaved()
        try await run(name, "body").end(.notBilled)
    }

    @Test(arguments: ["", "two words", "a\ttab", "ü", String(repeating: "k", count: 256)])
    func malformedKeysAreRefused(_ text: String) {
        #expect {
            try IdempotencyKeys.Name.named(by: [.idempotencyKey: text], of: KeyID(1))
        } throws: { ($0 as? APIError)?.code == "invalid_idempotency_key" }
    }

    private func claim(
        _ name: IdempotencyKeys.Name, _ body: String, as request: RequestID = .random(), at now: Int64?,
        by keys: IdempotencyKeys
    ) async throws(APIError) -> IdempotencyKeys.Claim {
        let digest = SHA256.hash(data: Array(body.utf8))
        return try await keys.claim(name, digest, as: request, at: now.map { Timestamp($0) } ?? .now())
    }

    private func run(
        _ name: IdempotencyKeys.Name, _ body: String, at now: Int64? = nil, by other: IdempotencyKeys? = nil
    ) async throws -> IdempotencyKeys.Ticket {
        guard case .run(let ticket) = try await claim(name, body, at: now, by: other ?? keys) else {
            throw APIError.invalidRequest("it was to run")
        }
        return ticket
    }

    private func again(
        _ name: IdempotencyKeys.Name, _ body: String, at now: Int64? = nil
    ) async throws -> IdempotencyKeys.KeptReply {
        guard case .again(let reply) = try await claim(name, body, at: now, by: keys) else {
            throw APIError.invalidRequest("it was to be sent again")
        }
        return reply
    }

    private func text(_ name: IdempotencyKeys.Name, _ body: String, at now: Int64? = nil) async throws -> String {
        String(buffer: try await again(name, body, at: now).body)
    }

    /// Why it is refused; nil: it is not.
    private func code(
        of name: IdempotencyKeys.Name, _ body: String, as request: RequestID = .random()
    ) async -> String? {
        do throws(APIError) {
            _ = try await claim(name, body, as: request, at: nil, by: keys)
            return nil
        } catch {
            return error.code
        }
    }

    private func reply(_ text: String) -> IdempotencyKeys.KeptReply {
        IdempotencyKeys.KeptReply(body: ByteBuffer(string: text), lowered: nil)
    }

    private func rows() async throws -> Int? {
        try await database.read { try $0.value("SELECT count(*) FROM idempotency_keys") }
    }

    /// Requests of the first API key that have ended just now.
    private func fill(count: Int, replyBytes: Int) async throws {
        try await database.write { connection in
            for number in 0..<count {
                try connection.execute(
                    """
                    INSERT INTO idempotency_keys (owner, name, request, digest, writer, ended, reply_bytes)
                    VALUES (1, ?, '', '', 'here', ?, ?)
                    """,
                    ["\(number)", Timestamp.now().rawValue, replyBytes])
            }
        }
    }
}
