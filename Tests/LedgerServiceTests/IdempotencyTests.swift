import StorageTesting
import Testing

@testable import SharedProtocol
@testable import ledger_service

@Suite(.bothEngines) struct IdempotencyTests {
    @Test func aRepeatedReserveGetsTheFirstAnswer() async throws {
        let ledger = try await TestLedger([.test("default", .of(100))])
        let call = Ledger.Reserve.test(limit: 60)
        let first = try await ledger.call(call)
        #expect(try await ledger.call(call) == first)
        #expect(try await ledger.pool().reserved == 60)
        let refused = Ledger.Reserve.test(prompt: 100, limit: 1000)
        let refusal = try await ledger.call(refused).refusal
        #expect(refusal != nil)
        _ = try await ledger.call(Ledger.Void(request: call.request))
        #expect(try await ledger.call(refused).refusal == refusal)
    }

    @Test func aRepeatedPostGetsTheFirstReceiptAndBillsNothing() async throws {
        let ledger = try await TestLedger([.test("default", .of(100))])
        let call = Ledger.Reserve.test(limit: 60)
        _ = try await ledger.call(call)
        let receipt = try await ledger.call(Ledger.Post.test(call.request, completion: 20))
        #expect(try await ledger.call(Ledger.Post.test(call.request, completion: 50)) == receipt)
        #expect(try await ledger.pool() == .test(balance: 80, max: 100))
    }

    @Test func theSamePostManyTimesAtOnceBillsOnce() async throws {
        let ledger = try await TestLedger([.test("default", .of(100))])
        let request = RequestID.random()
        let receipts = try await withThrowingTaskGroup(of: Ledger.Receipt.self) { group in
            for _ in 0..<50 { group.addTask { try await ledger.call(Ledger.Post.test(request, completion: 20)) } }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(receipts == [Ledger.Receipt(billed: 20, writtenOff: 0, cost: 0)])
        #expect(try await ledger.pool() == .test(balance: 80, max: 100))
    }

    @Test func aRepeatedVoidIsNoError() async throws {
        let ledger = try await TestLedger([.test("default", .of(100))])
        let call = Ledger.Reserve.test(limit: 60)
        _ = try await ledger.call(call)
        _ = try await ledger.call(Ledger.Void(request: call.request))
        _ = try await ledger.call(Ledger.Void(request: call.request))
        #expect(try await ledger.pool() == .test(balance: 100, max: 100))
    }

    @Test func aReserveThatComesAfterItsVoidIsRefused() async throws {
        let ledger = try await TestLedger([.test("default", .of(100))])
        let call = Ledger.Reserve.test(limit: 60)
        _ = try await ledger.call(Ledger.Void(request: call.request))
        await #expect(throws: Book.hasEnded) { try await ledger.call(call) }
        #expect(try await ledger.pool() == .test(balance: 100, max: 100))
    }

    @Test func aReserveThatComesAfterItsPostIsRefused() async throws {
        let ledger = try await TestLedger([.test("default", .of(100))])
        let call = Ledger.Reserve.test(limit: 60)
        _ = try await ledger.call(call)
        _ = try await ledger.call(Ledger.Post.test(call.request, completion: 20))
        await #expect(throws: Book.hasEnded) { try await ledger.call(call) }
        await #expect(throws: Book.isBilled) { try await ledger.call(Ledger.Void(request: call.request)) }
    }

    @Test func onlyTheLastEndsAreRemembered() {
        var ended = EndedRequests(capacity: 2)
        for name in ["a", "b", "a", "c"] { ended.record(.voided, of: RequestID(name)) }
        #expect(ended[RequestID("a")] == nil)
        #expect(ended[RequestID("b")] == .voided)
        #expect(ended[RequestID("c")] == .voided)
    }

    @Test func aPostWithoutReservationBillsAsFarAsTheBalanceGoes() async throws {
        let ledger = try await TestLedger([.test("default", .of(100))])
        #expect(
            try await ledger.call(Ledger.Post.test(.random(), completion: 70))
                == Ledger.Receipt(billed: 70, writtenOff: 0, cost: 0))
        #expect(
            try await ledger.call(Ledger.Post.test(.random(), completion: 70))
                == Ledger.Receipt(billed: 30, writtenOff: 40, cost: 0))
        try await ledger.follow([])
        #expect(
            try await ledger.call(Ledger.Post.test(.random(), completion: 70))
                == Ledger.Receipt(billed: 0, writtenOff: 70, cost: 0))
    }
}
