import Testing

@testable import SharedProtocol
@testable import ledger_service

struct DemandTests {
    func pool(_ balance: TokenCount, reserved: TokenCount = 0, max: TokenCount = 1000, refresh: TokenCount = 0) -> Pool
    {
        Pool(
            id: 1, balance: balance, reserved: reserved, accrual: Accrual(until: .start, remainder: 0),
            terms: Terms(max: max, refresh: refresh), hasStarted: true)
    }

    func verdict(
        _ pool: Pool, group: Pool? = nil, cap: Pool? = nil, prompt: TokenCount = 40,
        outputs: Int64 = 1, limit: TokenCount = 260, mayWait: Bool = true
    ) throws -> Demand.Verdict {
        let call = Ledger.Reserve.test(prompt: prompt, outputs: outputs, limit: limit)
        let keys: [PoolKey] = [.user(UserID(1), .general), .shared(GroupName("staff")), .cap(KeyID(7))]
        let pools = zip(keys, [pool, group, cap]).compactMap { key, pool in pool.map { (key, $0) } }
        return try #require(Demand(call)).verdict(of: pools, mayWait: mayWait)
    }

    @Test func whatFitsIsReservedWhole() throws {
        let grant = Ledger.Grant(reserved: 300, outputLimit: 260)
        #expect(try verdict(pool(300)) == .grant(grant))
    }

    @Test func whatOthersHoldIsWaitedFor() throws {
        #expect(try verdict(pool(299, reserved: 1)) == .wait)
        #expect(try verdict(pool(0, reserved: 300)) == .wait)
    }

    @Test func whatNobodyHoldsIsNotWaitedFor() throws {
        let grant = Ledger.Grant(reserved: 298, outputLimit: 258, limitedBy: .user)
        #expect(try verdict(pool(298, reserved: 1)) == .grant(grant))
    }

    @Test func theLimitIsLoweredToFit() throws {
        let grant = Ledger.Grant(reserved: 90, outputLimit: 50, limitedBy: .user)
        #expect(try verdict(pool(90)) == .grant(grant))
        let four = Ledger.Grant(reserved: 90, outputLimit: 12, limitedBy: .user)
        #expect(try verdict(pool(90), outputs: 4) == .grant(four))
    }

    @Test func aPromptThatMayCostMoreThanIsLeftIsNotRunOnAnEstimate() throws {
        guard case .refuse = try verdict(pool(90), prompt: 100) else { Issue.record("the prompt may cost 100"); return }
    }

    @Test func theLastTokenIsEnough() throws {
        let grant = Ledger.Grant(reserved: 41, outputLimit: 1, limitedBy: .user)
        #expect(try verdict(pool(41)) == .grant(grant))
        guard case .refuse = try verdict(pool(40)) else { Issue.record("40 tokens are the prompt alone"); return }
    }

    @Test func embeddingsHaveNoLimitToLower() throws {
        let grant = Ledger.Grant(reserved: 40, outputLimit: 0)
        #expect(try verdict(pool(40), outputs: 0, limit: 0) == .grant(grant))
    }

    @Test func aRefusalSaysWhatIsLeftAndWhenEnoughWillHaveAccrued() throws {
        let refusal = Ledger.Refusal(
            reason: .insufficient, limitedBy: .user, remaining: 31, retryAfterMs: 3_600_000, needed: 41, max: 1000)
        #expect(try verdict(pool(31, refresh: 10)) == .refuse(refusal))
    }

    @Test(arguments: [(0, 1000), (10, 40)] as [(TokenCount, TokenCount)])
    func aRefusalThatTimeDoesNotHealNamesNoTime(refresh: TokenCount, max: TokenCount) throws {
        let refusal = Ledger.Refusal(
            reason: .insufficient, limitedBy: .user, remaining: 5, retryAfterMs: nil, needed: 41, max: max)
        #expect(try verdict(pool(5, max: max, refresh: refresh)) == .refuse(refusal))
    }

    @Test func everyPoolMustHaveRoom() throws {
        let grant = Ledger.Grant(reserved: 300, outputLimit: 260)
        #expect(try verdict(pool(300), group: pool(300), cap: pool(300)) == .grant(grant))
        #expect(try verdict(pool(900), group: pool(299, reserved: 1), cap: pool(300)) == .wait)
        // What others hold of one pool does not help when another has not enough itself.
        let lowered = Ledger.Grant(reserved: 90, outputLimit: 50, limitedBy: .key)
        #expect(try verdict(pool(900), group: pool(200, reserved: 100), cap: pool(90)) == .grant(lowered))
    }

    @Test func theTightestPoolSaysThatItRefused() throws {
        let refusal = Ledger.Refusal(
            reason: .insufficient, limitedBy: .group, remaining: 7, retryAfterMs: 3_400_000, needed: 41, max: 1000)
        #expect(try verdict(pool(900), group: pool(7, refresh: 36)) == .refuse(refusal))
    }

    @Test func whenTwoPoolsRefuseTheSlowerOneSaysWhen() throws {
        guard case .refuse(let refusal) = try verdict(pool(30, refresh: 1), group: pool(20, refresh: 1000)) else {
            Issue.record("granted")
            return
        }
        #expect(refusal.limitedBy == .group)
        #expect(refusal.retryAfterMs == 39_600_000)
    }

    @Test func anUnlimitedPoolLeavesTheOtherToDecide() throws {
        let unlimited = Pool(
            id: 1, balance: 0, reserved: 0, accrual: Accrual(until: .start, remainder: 0),
            terms: Terms(max: nil, refresh: 0), hasStarted: false)
        let lowered = Ledger.Grant(reserved: 90, outputLimit: 50, limitedBy: .group)
        #expect(try verdict(unlimited, group: pool(90)) == .grant(lowered))
        #expect(
            try verdict(pool(90), group: unlimited)
                == .grant(Ledger.Grant(reserved: 90, outputLimit: 50, limitedBy: .user)))
    }

    @Test func absurdNumbersNeitherTrapNorFit() throws {
        let call = Ledger.Reserve.test(prompt: TokenCount(.max), outputs: .max, limit: TokenCount(.max))
        let demand = try #require(Demand(call))
        let pools = [(PoolKey.user(UserID(1), .general), pool(1000))]
        guard case .refuse = demand.verdict(of: pools, mayWait: true) else { Issue.record("granted"); return }
        #expect(Demand(.test(prompt: -1, limit: 1)) == nil)
        #expect(Demand(.test(outputs: -1, limit: 1)) == nil)
    }
}
