import StorageTesting
import Testing

@testable import SharedProtocol
@testable import ledger_service

/// Budgets that change while the ledger runs.
@Suite(.bothEngines) struct BudgetChangeTests {
    let hour: Int64 = 3_600_000

    @Test func aLoweredMaximumHoldsAtOnceAndIsAnEntry() async throws {
        let ledger = try await TestLedger([.test("default", .of(1000))])
        let call = Ledger.Reserve.test(limit: 300)
        _ = try await ledger.call(call)
        try await ledger.follow([.test("default", .of(200))])
        #expect(try await ledger.pool() == .test(balance: 0, reserved: 300, max: 200))
        _ = try await ledger.call(Ledger.Post.test(call.request, completion: 10))
        #expect(try await ledger.pool() == .test(balance: 200, max: 200))
        #expect(try await ledger.fetch("SELECT sum(tokens) FROM entries") == 200)
        #expect(try await ledger.fetch("SELECT sum(tokens) FROM entries WHERE kind = 'capped'") == -790)
    }

    @Test func refreshThatIsSwitchedOnAccruesFromThenOnAlsoWithoutRequests() async throws {
        let ledger = try await TestLedger([.test("default", .of(1000, refresh: 0, starting: 10))])
        _ = try await ledger.call(Ledger.Reserve.test(limit: 1))
        ledger.clock.pass(100 * hour)
        try await ledger.follow([.test("default", .of(1000, refresh: 5))])
        ledger.clock.pass(2 * hour)
        #expect(try await ledger.pool().balance == 19)
    }

    @Test func aNewModelsPoolDoesNotAccrueFromBeforeItsEntry() async throws {
        let account = Ledger.Account.test(1, created: .start)
        let ledger = try await TestLedger([.test("default", .of(10))])
        ledger.clock.pass(100 * hour)
        try await ledger.follow([.test("default", .of(10), models: ["small": .of(1000, refresh: 5, starting: 1)])])
        ledger.clock.pass(2 * hour)
        #expect(try await ledger.pool("small", of: account).balance == 11)
        let later = Ledger.Account.test(2, created: .start + 101 * hour)
        #expect(try await ledger.pool("small", of: later).balance == 6)
    }

    @Test func aRaiseDoesNotCountForTheTimeBeforeIt() async throws {
        let ledger = try await TestLedger([.test("default", .of(600, refresh: 10, starting: 300))])
        ledger.clock.pass(20 * hour)
        try await ledger.follow([.test("default", .of(1_000_000, refresh: 1000, starting: 300))])
        ledger.clock.pass(hour)
        #expect(try await ledger.pool().balance == 1300)
    }

    @Test func anEntrysClockSurvivesARestart() async throws {
        let (store, clock) = (try TestDatabase(), TestClock())
        let groups = [GroupConfiguration.test("default", .of(1000, refresh: 5, starting: 0))]
        try await TestLedger(groups, in: store, clock: clock).stop()
        clock.pass(7 * hour)
        let ledger = try await TestLedger(groups, in: store, clock: clock)
        #expect(try await ledger.pool().balance == 35)
        // One that was gone is new when it comes back.
        try await ledger.follow([])
        try await ledger.follow(groups)
        clock.pass(hour)
        #expect(try await ledger.pool().balance == 5)
    }

    @Test func timeUnderOtherBudgetsWhileTheLedgerWasDownIsTheOldOnes() async throws {
        let (store, clock) = (try TestDatabase(), TestClock())
        do {
            let groups = [GroupConfiguration.test("default", .of(1000, refresh: 5, starting: 0))]
            let old = try await TestLedger(groups, in: store, clock: clock)
            _ = try await old.call(Ledger.Post.test(.random(), completion: 1))
            try await old.stop()
        }
        clock.pass(10 * hour)
        let new = try await TestLedger([.test("default", .of(1000, refresh: 100))], in: store, clock: clock)
        clock.pass(hour)
        #expect(try await new.pool().balance == 150)
    }

    @Test func aSettledReservationPaysThePriceOfItsReserve() async throws {
        let groups = [GroupConfiguration.test("default", .unlimited)]
        let ledger = try await TestLedger(groups, [.test("small", output: 1_000_000)])
        let call = Ledger.Reserve.test(limit: 100)
        _ = try await ledger.call(call)
        try await ledger.follow(groups, [.test("small", output: 9_000_000)])
        #expect(try await ledger.call(Ledger.Post.test(call.request, completion: 5)).cost == 5)
    }

    @Test func aPoolThatIsTakenAwayStillTakesItsPost() async throws {
        let ledger = try await TestLedger([.test("default", .of(100))])
        let call = Ledger.Reserve.test(limit: 60)
        _ = try await ledger.call(call)
        try await ledger.follow([])
        #expect(try await ledger.call(Ledger.Post.test(call.request, completion: 60)).billed == 60)
        try await ledger.follow([.test("default", .of(100))])
        #expect(try await ledger.pool() == .test(balance: 40, max: 100))
    }
}
