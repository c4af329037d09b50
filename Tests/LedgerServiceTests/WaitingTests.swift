import StorageTesting
import Testing

@testable import SharedProtocol
@testable import ledger_service

@Suite(.bothEngines) struct WaitingTests {
    /// A book with 100 tokens for everyone, at the start of time.
    func book() -> Book {
        var book = Book()
        book.follow([.everyone: .test("default", .of(100))], [.test("small")], at: .start)
        return book
    }

    let now = Moment(wall: .start, uptime: 0)

    @Test func twoHundredAtOnceOnABalanceThatCoversFifty() async throws {
        let ledger = try await TestLedger([.test("default", .of(5000))])
        let decisions = try await withThrowingTaskGroup(of: (RequestID, Ledger.Decision).self) { group in
            for _ in 0..<200 {
                let call = Ledger.Reserve.test(prompt: 40, limit: 60)
                group.addTask { (call.request, try await ledger.call(call)) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let granted = decisions.filter { $0.1.grant != nil }
        #expect(granted.count == 50)
        #expect(decisions.count { $0.1.refusal?.reason == .insufficient } == 150)
        #expect(try await ledger.pool() == .test(balance: 0, reserved: 5000, max: 5000))
        for (request, _) in granted {
            _ = try await ledger.call(Ledger.Post.test(request, prompt: 40, completion: 60))
        }
        #expect(try await ledger.pool() == .test(balance: 0, max: 5000))
    }

    @Test func aWaitingRequestGetsWhatAVoidGivesBack() async throws {
        let ledger = try await TestLedger([.test("default", .of(100))])
        let first = Ledger.Reserve.test(limit: 80)
        _ = try await ledger.call(first)
        async let second = ledger.call(Ledger.Reserve.test(limit: 60))
        async let third = ledger.call(Ledger.Reserve.test(limit: 40))
        _ = try await ledger.call(Ledger.Void(request: first.request))
        #expect(try await second.grant?.reserved == 60)
        #expect(try await third.grant?.reserved == 40)
    }

    @Test func aWaitingRequestGetsWhatAPostGivesBack() async throws {
        let ledger = try await TestLedger([.test("default", .of(100))])
        let first = Ledger.Reserve.test(limit: 80)
        _ = try await ledger.call(first)
        async let second = ledger.call(Ledger.Reserve.test(limit: 60))
        _ = try await ledger.call(Ledger.Post.test(first.request, completion: 40))
        #expect(try await second.grant?.reserved == 60)
    }

    @Test func firstComeFirstServed() {
        var book = book()
        let calls = [90, 50, 10, 30].map { Ledger.Reserve.test(limit: TokenCount($0)) }
        #expect(book.reserve(calls[0], at: now) == .decided(.granted(Ledger.Grant(reserved: 90, outputLimit: 90))))
        // The third would fit, and yet it stands behind the second.
        for call in calls[1...] { #expect(book.reserve(call, at: now) == .waiting) }
        #expect(book.reserve(calls[2], at: now) == .waiting)
        _ = book.void(calls[0].request, at: .start)
        #expect(book.decided == calls[1...].map(\.request))
        #expect(book.pools.values.map(\.balance) == [10])
    }

    @Test func whoWaitedLongEnoughGetsWhatIsLeft() {
        var book = book()
        let calls = [90, 50, 5].map { Ledger.Reserve.test(limit: TokenCount($0)) }
        for call in calls { _ = book.reserve(call, at: now) }
        book.stopWaiting(calls[1].request, at: .start)
        let lowered = Ledger.Grant(reserved: 10, outputLimit: 10, limitedBy: .user)
        #expect(book.answer(to: calls[1].request) == .decided(.granted(lowered)))
        // The next moves up, and goes on waiting.
        #expect(book.answer(to: calls[2].request) == .waiting)
        book.stopWaiting(calls[2].request, at: .start)
        let refusal = Ledger.Refusal(
            reason: .insufficient, limitedBy: .user, remaining: 0, retryAfterMs: nil, needed: 1, max: 100)
        #expect(book.answer(to: calls[2].request) == .decided(.refused(refusal)))
        #expect(book.waiting.isEmpty && book.lines.isEmpty)
    }

    @Test func theWaitEndsByItself() async throws {
        let ledger = try await TestLedger([.test("default", .of(100))])
        _ = try await ledger.call(Ledger.Reserve.test(limit: 90))
        #expect(try await ledger.call(Ledger.Reserve.test(limit: 50)).grant?.outputLimit == 10)
    }

    @Test func aVoidTakesAWaitingRequestOutOfTheLine() async throws {
        let ledger = try await TestLedger([.test("default", .of(100))])
        let first = Ledger.Reserve.test(limit: 100)
        _ = try await ledger.call(first)
        let second = Ledger.Reserve.test(limit: 60)
        let waiting = Task { try await ledger.call(second) }
        while ledger.waitingCount == 0 { try await Task.sleep(for: .milliseconds(5)) }
        _ = try await ledger.call(Ledger.Void(request: second.request))
        await #expect(throws: Book.hasEnded) { try await waiting.value }
        _ = try await ledger.call(Ledger.Void(request: first.request))
        #expect(try await ledger.pool() == .test(balance: 100, max: 100))
    }

    @Test func aFullLineIsDecidedAtOnce() {
        var book = book()
        _ = book.reserve(.test(limit: 100), at: now)
        for _ in 0..<WaitingLine.limit { #expect(book.reserve(.test(limit: 50), at: now) == .waiting) }
        let refusal = Ledger.Refusal(
            reason: .insufficient, limitedBy: .user, remaining: 0, retryAfterMs: nil, needed: 1, max: 100)
        #expect(book.reserve(.test(limit: 50), at: now) == .decided(.refused(refusal)))
    }

    @Test func changedBudgetsHoldForThoseWhoWait() {
        var book = book()
        _ = book.reserve(.test(limit: 100), at: now)
        let call = Ledger.Reserve.test(limit: 50)
        _ = book.reserve(call, at: now)
        book.follow([.everyone: .test("default", .of(0))], [.test("small")], at: .start)
        book.stopWaiting(call.request, at: .start)
        #expect(book.answer(to: call.request) == .decided(.refused(Book.noAccess)))
    }
}

extension TestLedger {
    var waitingCount: Int {
        (engine as? LocalLedger)?.book.step { book, _ in book.waiting.count }
            ?? (engine as? SharedLedger)?.waitingCount ?? 0
    }
}
