import Crypto
import HTTPTypes
import NIOCore
import SharedProtocol
import Testing

@testable import web_service

/// What a repeat under the same key gets, and for how long.
@Suite struct IdempotencyKeysTests {
    private let keys = IdempotencyKeys()
    private let name = IdempotencyKeys.Name(owner: KeyID(1), text: "k")

    @Test func aFinishedReplyIsSentAgain() throws {
        try run(name, "body").finish(reply("answer"))
        #expect(try again(name, "body") == "answer")
        #expect(try again(name, "body") == "answer")
    }

    @Test func anotherBodyIsRefusedAtAnyTime() throws {
        let ticket = try run(name, "body")
        #expect(code { try keys.claim(name, digest("other")) } == "idempotency_key_reused")
        ticket.finish(reply("answer"))
        #expect(code { try keys.claim(name, digest("other")) } == "idempotency_key_reused")
    }

    @Test func whatRunsIsNotRunTwice() throws {
        let ticket = try run(name, "body")
        #expect(code { try keys.claim(name, digest("body")) } == "idempotency_in_progress")
        ticket.finish(nil)
        #expect(code { try keys.claim(name, digest("body")) } == "idempotency_not_replayable")
    }

    @Test func whatWasNotBilledMayRunAgain() throws {
        try run(name, "body").release()
        try run(name, "other").finish(nil)
    }

    @Test func aTicketThatIsLostCountsAsBilled() throws {
        _ = try run(name, "body")
        #expect(code { try keys.claim(name, digest("body")) } == "idempotency_not_replayable")
    }

    @Test func theFirstWordOfATicketCounts() throws {
        let ticket = try run(name, "body")
        ticket.finish(reply("answer"))
        ticket.release()
        #expect(try again(name, "body") == "answer")
    }

    @Test func keysOfOthersAreOthers() throws {
        try run(name, "body").finish(reply("answer"))
        try run(IdempotencyKeys.Name(owner: KeyID(2), text: "k"), "body").release()
    }

    @Test func itIsForgottenTenMinutesAfterItsEnd() throws {
        let start = NIODeadline.now()
        try run(name, "body", at: start).finish(reply("answer"), at: start + .minutes(5))
        #expect(try again(name, "body", at: start + .minutes(14)) == "answer")
        try run(name, "other", at: start + .minutes(15)).finish(reply("new"), at: start + .minutes(15))
        #expect(try again(name, "other", at: start + .minutes(24)) == "new")
    }

    @Test func longRepliesAreNotKept() throws {
        try run(name, "body").finish(reply(String(repeating: "x", count: IdempotencyKeys.replyLimit + 1)))
        #expect(code { try keys.claim(name, digest("body")) } == "idempotency_not_replayable")
    }

    @Test func theOldestRepliesMakeRoom() throws {
        let long = reply(String(repeating: "x", count: IdempotencyKeys.replyLimit))
        let names = (0...64).map { IdempotencyKeys.Name(owner: KeyID(1), text: "\($0)") }
        for name in names { try run(name, "body").finish(long) }
        #expect(code { try keys.claim(names[0], digest("body")) } == "idempotency_not_replayable")
        for name in names.dropFirst() { #expect(try again(name, "body").utf8.count == IdempotencyKeys.replyLimit) }
    }

    @Test func oneAPIKeyHasABound() throws {
        var tickets: [IdempotencyKeys.Ticket] = []
        for number in 0..<IdempotencyKeys.entriesPerKeyLimit {
            tickets.append(try run(IdempotencyKeys.Name(owner: KeyID(1), text: "\(number)"), "body"))
        }
        #expect(code { try keys.claim(name, digest("body")) } == "service_unavailable")
        try run(IdempotencyKeys.Name(owner: KeyID(2), text: "k"), "body").release()
        tickets.removeLast().release()
        try run(name, "body").release()
    }

    @Test(arguments: ["", "two words", "a\ttab", "ü", String(repeating: "k", count: 256)])
    func malformedKeysAreRefused(_ text: String) {
        #expect(
            code { try IdempotencyKeys.Name.named(by: [.idempotencyKey: text], of: nil) } == "invalid_idempotency_key")
    }

    private func run(
        _ name: IdempotencyKeys.Name, _ body: String, at now: NIODeadline = .now()
    ) throws -> IdempotencyKeys.Ticket {
        guard case .run(let ticket) = try keys.claim(name, digest(body), at: now) else {
            throw APIError.invalidRequest("it was to run")
        }
        return ticket
    }

    private func again(
        _ name: IdempotencyKeys.Name, _ body: String, at now: NIODeadline = .now()
    ) throws -> String {
        guard case .again(let reply) = try keys.claim(name, digest(body), at: now) else {
            throw APIError.invalidRequest("it was to be sent again")
        }
        return String(buffer: reply.body)
    }

    private func code<Value>(_ work: () throws -> Value) -> String? {
        do {
            _ = try work()
            return nil
        } catch {
            return (error as? APIError)?.code
        }
    }

    private func digest(_ text: String) -> IdempotencyKeys.Digest { SHA256.hash(data: Array(text.utf8)) }

    private func reply(_ text: String) -> IdempotencyKeys.KeptReply {
        IdempotencyKeys.KeptReply(headers: [:], body: ByteBuffer(string: text))
    }
}
