import Foundation
import StorageTesting
import Testing

@testable import SharedProtocol
@testable import ledger_service

/// The life of a request, call by call.
@Suite(.bothEngines) struct ReservationTests {
    @Test func aPostBillsWhatWasUsedAndGivesTheRestBack() async throws {
        let ledger = try await TestLedger(
            [.test("default", .of(1000))], [.test("small", input: 500_000, output: 1_500_000)])
        let call = Ledger.Reserve.test(prompt: 100, limit: 200)
        let decision = try await ledger.call(call)
        #expect(decision == .granted(Ledger.Grant(reserved: 300, outputLimit: 200)))
        #expect(try await ledger.pool() == .test(balance: 700, reserved: 300, max: 1000))
        let receipt = try await ledger.call(Ledger.Post.test(call.request, prompt: 7, completion: 50))
        // 7 × 0.5 + 50 × 1.5 = 78.5 nano-dollars, rounded half up.
        #expect(receipt == Ledger.Receipt(billed: 57, writtenOff: 0, cost: 79))
        #expect(try await ledger.pool() == .test(balance: 943, max: 1000))
    }

    @Test func aVoidGivesEverythingBack() async throws {
        let ledger = try await TestLedger([.test("default", .of(1000))])
        let call = Ledger.Reserve.test(limit: 1000)
        _ = try await ledger.call(call)
        _ = try await ledger.call(Ledger.Void(request: call.request))
        #expect(try await ledger.pool() == .test(balance: 1000, max: 1000))
    }

    @Test func whatIsUsedBeyondTheReservationIsWrittenOff() async throws {
        let ledger = try await TestLedger([.test("default", .of(1000))])
        let call = Ledger.Reserve.test(limit: 100)
        _ = try await ledger.call(call)
        let receipt = try await ledger.call(Ledger.Post.test(call.request, prompt: 30, completion: 100))
        #expect(receipt == Ledger.Receipt(billed: 100, writtenOff: 30, cost: 0))
        #expect(try await ledger.pool() == .test(balance: 900, max: 1000))
        let events = try await ledger.call(Ledger.Events(user: UserID(1), before: nil, limit: 10))
        #expect(events.map(\.writtenOff) == [30])
    }

    @Test func aBackendsAbsurdCountsAreBilledAsFarAsReserved() async throws {
        let ledger = try await TestLedger([.test("default", .of(1000))], [.test("small", output: .max / 1_000_000)])
        let call = Ledger.Reserve.test(limit: 100)
        _ = try await ledger.call(call)
        let receipt = try await ledger.call(
            Ledger.Post.test(call.request, prompt: TokenCount(.min), completion: TokenCount(.max)))
        #expect(receipt.billed == 100)
        #expect(receipt.writtenOff == Ledger.Usage.mostTokens - 100)
        #expect(try await ledger.pool() == .test(balance: 900, max: 1000))
    }

    @Test func theLimitIsLoweredToWhatIsLeft() async throws {
        let ledger = try await TestLedger([.test("default", .of(150))])
        let decision = try await ledger.call(Ledger.Reserve.test(prompt: 30, limit: 500))
        #expect(decision == .granted(Ledger.Grant(reserved: 150, outputLimit: 120, limitedBy: .user)))
    }

    @Test func aModelWithABudgetOfItsOwnHasItsOwnPool() async throws {
        let ledger = try await TestLedger(
            [.test("default", .of(100), models: ["big": .of(50)])], [.test("small"), .test("big")])
        #expect(try await ledger.call(Ledger.Reserve.test(limit: 50, model: "big")).grant != nil)
        #expect(try await ledger.call(Ledger.Reserve.test(limit: 100)).grant != nil)
        #expect(try await ledger.pool("big") == .test("big", balance: 0, reserved: 50, max: 50))
        #expect(try await ledger.pool() == .test(balance: 0, reserved: 100, max: 100))
    }

    @Test func noAccessIsRefusedAndBeginsNoPool() async throws {
        let ledger = try await TestLedger([.test("default", .of(0))])
        let refusal = try await ledger.call(Ledger.Reserve.test(limit: 1)).refusal
        #expect(refusal == Ledger.Refusal(reason: .noAccess, limitedBy: .user, remaining: 0, retryAfterMs: nil))
        try await ledger.stop()
        #expect(try await ledger.fetch("SELECT count(*) FROM pools") == 0)
    }

    @Test func aRefusedFirstReserveBeginsThePool() async throws {
        let ledger = try await TestLedger([.test("default", .of(10, refresh: 5, starting: 3))])
        let refusal = try await ledger.call(Ledger.Reserve.test(prompt: 5, limit: 1)).refusal
        #expect(
            refusal
                == Ledger.Refusal(
                    reason: .insufficient, limitedBy: .user, remaining: 3, retryAfterMs: 3_600_000 * 3 / 5,
                    needed: 6, max: 10))
        // Other starting tokens are no longer given.
        try await ledger.follow([.test("default", .of(10, refresh: 5, starting: 10))])
        #expect(try await ledger.pool().balance == 3)
        try await ledger.stop()
        #expect(try await ledger.fetch("SELECT count(*) FROM pools WHERE has_started = 1") == 1)
    }

    @Test func readingBalancesBeginsNothing() async throws {
        let ledger = try await TestLedger(
            [.test("default", .of(10, starting: 4), models: ["free": .unlimited, "no": .of(0)])],
            [.test("free"), .test("no"), .test("small"), .test("tiny"), .test("old", isActive: false)])
        let sheet = try await ledger.call(Ledger.Balances(account: .test()))
        #expect(
            sheet
                == Ledger.BalanceSheet(
                    pools: [
                        .test(balance: 4, max: 10, starting: 4),
                        Ledger.Pool(
                            name: "free", balance: nil, reserved: 0, max: nil, refresh: 0, starting: 0,
                            group: .everyone),
                    ],
                    models: [
                        Ledger.ModelAccess(model: ModelName("free"), pool: "free"),
                        Ledger.ModelAccess(model: ModelName("small"), pool: "default"),
                        Ledger.ModelAccess(model: ModelName("tiny"), pool: "default"),
                    ]))
        try await ledger.stop()
        #expect(try await ledger.fetch("SELECT count(*) FROM pools") == 0)
    }

    @Test func anUnlimitedPoolBillsWithoutABalance() async throws {
        let ledger = try await TestLedger([.test("default", .unlimited)])
        let call = Ledger.Reserve.test(prompt: 10, limit: TokenCount(1_000_000))
        #expect(try await ledger.call(call) == .granted(Ledger.Grant(reserved: 1_000_010, outputLimit: 1_000_000)))
        #expect(try await ledger.call(Ledger.Post.test(call.request, completion: 70)).billed == 70)
        #expect(try await ledger.fetch("SELECT count(*) FROM entries") == 0)
        #expect(try await ledger.fetch("SELECT sum(billed) FROM usage_events") == 70)
    }

    @Test func refillComesWithTime() async throws {
        let ledger = try await TestLedger([.test("default", .of(100, refresh: 3600, starting: 0))])
        #expect(try await ledger.call(Ledger.Reserve.test(limit: 10)).refusal?.retryAfterMs == 1000)
        ledger.clock.pass(10_000)
        #expect(try await ledger.call(Ledger.Reserve.test(limit: 10)).grant?.reserved == 10)
    }
}

extension TestLedger {
    /// A pool as the pages show it.
    func pool(_ name: String = "default", of account: Ledger.Account = .test()) async throws -> Ledger.Pool {
        let sheet = try await call(Ledger.Balances(account: account))
        return try #require(sheet.pools.first { $0.name == name })
    }
}

extension Ledger.Pool {
    static func test(
        _ name: String = "default", balance: TokenCount, reserved: TokenCount = 0, max: TokenCount,
        refresh: TokenCount = 0, starting: TokenCount? = nil, group: GroupName? = .everyone
    ) -> Ledger.Pool {
        Ledger.Pool(
            name: name, balance: balance, reserved: reserved, max: max, refresh: refresh, starting: starting ?? max,
            group: group)
    }
}
