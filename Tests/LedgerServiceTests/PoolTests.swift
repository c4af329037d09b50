import Testing

@testable import SharedProtocol
@testable import ledger_service

struct PoolTests {
    let hour: Int64 = 3_600_000

    /// A pool that has just begun.
    func pool(_ budget: Budget, clock: Timestamp = .start) -> Pool {
        var pool = Pool(id: 1, clock: clock)
        pool.adopt(budget, at: .start)
        return pool
    }

    @Test func aPoolBeginsWithItsStartingTokensOnce() {
        var pool = pool(.of(100, starting: 40))
        #expect(pool.balance == 40)
        pool.adopt(.of(100, starting: 90), at: .start)
        #expect(pool.balance == 40)
        #expect(pool.unsaved == EntrySums(granted: 40))
    }

    @Test func whatAccruedBeforeThePoolBeganIsThere() {
        #expect(pool(.of(100, refresh: 10, starting: 5), clock: .start + -2 * hour).balance == 25)
        #expect(pool(.of(100, refresh: 10, starting: 5), clock: .start + -200 * hour).balance == 100)
    }

    @Test func aClockInTheFutureAccruesNothing() {
        #expect(pool(.of(100, refresh: 10, starting: 5), clock: .start + hour).balance == 5)
    }

    @Test func fractionsOfATokenAreCarried() {
        var pool = pool(.of(1000, refresh: 7, starting: 0))
        for step in 1...3600 { pool.adopt(.of(1000, refresh: 7), at: .start + Int64(step) * 1000) }
        #expect(pool.balance == 7)
        #expect(pool.accrual.remainder == 0)
    }

    @Test func aFullPoolCarriesNoFraction() {
        let budget = Budget.of(10, refresh: 1, starting: 10)
        var pool = pool(budget)
        pool.adopt(budget, at: .start + hour * 3 / 2)
        pool.hold(1)
        pool.settle(held: 1, charged: 1)
        pool.adopt(budget, at: .start + hour * 2)
        #expect(pool.balance == 9)
    }

    @Test func reservedTokensCountAsHeldInTheCap() {
        let budget = Budget.of(10, refresh: 10, starting: 10)
        var pool = pool(budget)
        pool.hold(6)
        pool.adopt(budget, at: .start + 5 * hour)
        #expect(pool.balance == 4)
    }

    @Test func aClockThatGoesBackAccruesNothing() {
        let budget = Budget.of(1000, refresh: 10, starting: 0)
        var pool = pool(budget)
        pool.adopt(budget, at: .start + 10 * hour)
        for hours in [9, 2, 10, 0, 10] as [Int64] { pool.adopt(budget, at: .start + hours * hour) }
        #expect(pool.balance == 100)
        pool.adopt(budget, at: .start + 11 * hour)
        #expect(pool.balance == 110)
    }

    @Test func theLargestBudgetAccruesForYearsWithoutOverflow() {
        let budget = Budget.of(Budget.mostTokens, refresh: Budget.mostRefresh, starting: 0)
        var pool = pool(budget)
        pool.adopt(budget, at: .start + 900 * hour)
        #expect(pool.balance == TokenCount(900_000_000_000_000))
        pool.adopt(budget, at: Timestamp(.max / 2))
        #expect(pool.balance == Budget.mostTokens)
    }

    @Test func raisingTheMaximumDoesNotTopUp() {
        var pool = pool(.of(10))
        pool.adopt(.of(50), at: .start)
        #expect(pool.balance == 10)
    }

    @Test func loweringTheMaximumCapsAtOnce() {
        var pool = pool(.of(100))
        pool.adopt(.of(30), at: .start)
        #expect(pool.balance == 30)
        #expect(pool.unsaved.capped == -70)
    }

    @Test func loweringTheMaximumLeavesReservationsAlone() {
        var pool = pool(.of(100))
        pool.hold(60)
        pool.adopt(.of(50), at: .start)
        #expect(pool.balance == 0 && pool.reserved == 60)
        #expect(pool.settle(held: 20, charged: 5) == 5)
        #expect(pool.balance == 10 && pool.reserved == 40)
        #expect(pool.settle(held: 40, charged: 0) == 0)
        #expect(pool.balance == 50 && pool.reserved == 0)
    }

    @Test func timeWithoutRefreshDoesNotAccrueLater() {
        var pool = pool(.of(100, refresh: 0, starting: 0))
        pool.adopt(.of(100, refresh: 5), at: .start + 12 * hour, since: .start + 10 * hour)
        #expect(pool.balance == 10)
    }

    @Test func anUnlimitedPoolIsFrozen() {
        var pool = pool(.of(100, refresh: 10, starting: 20))
        pool.adopt(.unlimited, at: .start + 3 * hour, since: .start + hour)
        #expect(pool.balance == 30)
        pool.adopt(.of(25, refresh: 10), at: .start + 50 * hour, since: .start + 50 * hour)
        #expect(pool.balance == 25)
    }

    @Test func aResetGivesWhatAPoolBeginsWithBesideWhatIsHeld() {
        var pool = pool(.of(100, starting: 80))
        pool.hold(50)
        pool.reset(to: 80)
        #expect(pool.balance == 50 && pool.reserved == 50)
        pool.settle(held: 50, charged: 50)
        pool.reset(to: 20)
        #expect(pool.balance == 20)
        #expect(pool.unsaved.reset == -10)
    }

    @Test func whatWasStoredAsHeldIsTakenUpAsFarAsTheTokensGo() {
        var pool = pool(.of(100))
        pool.hold(70)
        #expect(pool.takeUp([30, 20]) == [30, 20])
        #expect(pool.balance == 50 && pool.reserved == 50)
        #expect(pool.takeUp([90, 30]) == [90, 10])
        #expect(pool.balance == 0 && pool.reserved == 100)
    }

    @Test func aFirstLimitGivesTheStartingTokens() {
        var pool = pool(.unlimited)
        #expect(pool.balance == 0)
        pool.adopt(.of(100, starting: 30), at: .start + hour)
        #expect(pool.balance == 30)
    }

    @Test(
        arguments: [
            (1, 10, 0, 360_000), (10, 3, 0, 12_000_000), (1, 7, 3_599_999, 1), (5, 0, 0, nil),
            (.max, 1, 0, .max),
        ] as [(Int64, Int64, Int64, Int64?)])
    func whenEnoughWillHaveAccrued(tokens: Int64, refresh: Int64, remainder: Int64, expected: Int64?) {
        let accrual = Accrual(until: .start, remainder: remainder)
        let wait = accrual.milliseconds(toGain: TokenCount(tokens), refresh: TokenCount(refresh))
        #expect(wait == expected)
    }
}
