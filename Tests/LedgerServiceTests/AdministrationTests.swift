import StorageTesting
import Testing

@testable import SharedProtocol
@testable import ledger_service

/// Overrides, resets, shared pools, caps: what an admin decides, through the calls.
@Suite(.bothEngines) struct AdministrationTests {
    let hour: Int64 = 3_600_000
    let user = UserID(1)

    @Test func anOverrideHoldsFromTheNextReserveOnAndSurvivesARestart() async throws {
        let (store, clock) = (try TestDatabase(), TestClock())
        let groups = [GroupConfiguration.test("default", .of(10))]
        do {
            let ledger = try await TestLedger(groups, in: store, clock: clock)
            _ = try await ledger.call(Ledger.SetOverride(user: user, pool: "default", budget: .of(500, refresh: 60)))
            #expect(try await ledger.call(Ledger.Reserve.test(limit: 400)).grant?.limitedBy == nil)
            let overrides = try await ledger.call(Ledger.Overrides(user: user))
            #expect(overrides == [Ledger.Override(pool: "default", budget: .of(500, refresh: 60))])
            _ = try await ledger.call(Ledger.Post.test(.random(), completion: 0))
            try await ledger.stop()
        }
        let ledger = try await TestLedger(groups, in: store, clock: clock)
        #expect(try await ledger.call(Ledger.Overrides(user: user)).count == 1)
        _ = try await ledger.call(Ledger.SetOverride(user: user, pool: "default", budget: nil))
        #expect(try await ledger.call(Ledger.Overrides(user: user)) == [])
        #expect(try await ledger.pool().max == 10)
    }

    @Test func theTimeOfTheOldBudgetIsTheOldOnes() async throws {
        let ledger = try await TestLedger([.test("default", .of(1000, refresh: 10, starting: 0))])
        _ = try await ledger.call(Ledger.Reserve.test(limit: 1))
        ledger.clock.pass(3 * hour)
        _ = try await ledger.call(Ledger.SetOverride(user: user, pool: "default", budget: .of(1000, refresh: 100)))
        ledger.clock.pass(2 * hour)
        #expect(try await ledger.pool().balance == 230)
    }

    @Test(arguments: [(-1, 0, 0), (10, 0, 11), (10, -1, 0), (10, 2_000_000_000_000, 0)] as [(Int64, Int64, Int64)])
    func anOverrideOutOfRangeIsRefused(max: Int64, refresh: Int64, starting: Int64) async throws {
        let ledger = try await TestLedger([])
        let budget = Budget(
            max: .tokens(TokenCount(max)), refresh: TokenCount(refresh), starting: TokenCount(starting))
        let error = await #expect(throws: CallError.self) {
            try await ledger.call(Ledger.SetOverride(user: user, pool: "default", budget: budget))
        }
        #expect(error?.code == .invalidParams)
    }

    @Test func aResetGivesTheStartingTokensAndIsAnEntry() async throws {
        let ledger = try await TestLedger([.test("default", .of(1000, starting: 600))])
        _ = try await ledger.call(Ledger.Post.test(.random(), completion: 500))
        let target = Ledger.Reset.Target.user(.test(), pool: "default")
        _ = try await ledger.call(Ledger.Reset(target: target))
        #expect(try await ledger.pool().balance == 600)
        #expect(try await ledger.fetch("SELECT tokens FROM entries WHERE kind = 'reset'") == 500)
    }

    @Test func aResetOfAPoolThatIsNotThereMakesNone() async throws {
        let ledger = try await TestLedger([.test("default", .of(1000))])
        for target in [Ledger.Reset.Target.user(.test(), pool: "default"), .group(GroupName("default"))] {
            let error = await #expect(throws: CallError.self) { try await ledger.call(Ledger.Reset(target: target)) }
            #expect(error?.code == .notFound)
        }
        #expect(try await ledger.fetch("SELECT count(*) FROM pools") == 0)
    }

    @Test func aGroupsMembersShareWhatItHas() async throws {
        let ledger = try await TestLedger([.test("default", .of(1000), shared: .of(1500, refresh: 100))])
        let calls = (1...3).map { Ledger.Reserve.test(.random(), .test(Int64($0)), limit: 700) }
        #expect(try await ledger.call(calls[0]).grant?.reserved == 700)
        #expect(try await ledger.call(calls[1]).grant?.reserved == 700)
        // Waits for the others, in vain.
        let lowered = try await ledger.call(calls[2])
        #expect(lowered.grant == Ledger.Grant(reserved: 100, outputLimit: 100, limitedBy: .group))
        #expect(try await ledger.call(Ledger.Post.test(calls[0].request, completion: 50)).billed == 50)
        let pools = try await ledger.call(Ledger.Balances(account: .test(1))).pools
        #expect(pools.map(\.holder) == [.user, .group])
        #expect(pools.map(\.balance) == [950, 650])
        let budgets = try await ledger.call(Ledger.GroupBudgets())
        #expect(budgets.first?.shared?.balance == 650)
        #expect(try await ledger.fetch("SELECT count(*) FROM entries WHERE kind = 'post'") == 2)
        _ = try await ledger.call(Ledger.Reset(target: .group(.everyone)))
        #expect(try await ledger.call(Ledger.GroupBudgets()).first?.shared?.balance == 700)
    }

    @Test func aKeySpendsNoMoreThanItsCapInItsLife() async throws {
        let ledger = try await TestLedger([.test("default", .of(10_000, refresh: 1000))])
        let first = Ledger.Reserve.test(limit: 80, cap: 100)
        _ = try await ledger.call(first)
        _ = try await ledger.call(Ledger.Post.test(first.request, completion: 80))
        let lowered = try await ledger.call(Ledger.Reserve.test(limit: 80, cap: 100)).grant
        #expect(lowered == Ledger.Grant(reserved: 20, outputLimit: 20, limitedBy: .key))
        ledger.clock.pass(1000 * hour)
        let refusal = try await ledger.call(Ledger.Reserve.test(limit: 80, cap: 100)).refusal
        #expect(
            refusal
                == Ledger.Refusal(
                    reason: .insufficient, limitedBy: .key, remaining: 0, retryAfterMs: nil, needed: 1, max: 100))
        #expect(try await ledger.call(Ledger.Reserve.test(limit: 80)).grant?.reserved == 80)
    }
}
