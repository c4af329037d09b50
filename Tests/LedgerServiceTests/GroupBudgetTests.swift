import Storage
import StorageTesting
import Testing

@testable import SharedProtocol
@testable import ledger_service

/// Budgets of groups that admins made, through the calls.
@Suite(.bothEngines) struct GroupBudgetTests {
    let hour: Int64 = 3_600_000
    let lab = GroupName("lab")
    let member = Ledger.Account.test(1, ["default", "lab"])

    func set(_ entry: Ledger.GroupEntry, _ budget: Budget?, of ledger: TestLedger) async throws {
        _ = try await ledger.call(Ledger.SetGroupBudget(group: lab, entry: entry, budget: budget))
    }

    func refusal(of call: Ledger.SetGroupBudget, by ledger: TestLedger) async -> CallError.Code? {
        await #expect(throws: CallError.self) { try await ledger.call(call) }?.code
    }

    @Test func itHoldsForMembersFromTheNextReserveOnAndSurvivesARestart() async throws {
        let (store, clock) = (try TestDatabase(), TestClock())
        let groups = [GroupConfiguration.test("default", .of(10))]
        do {
            let ledger = try await TestLedger(groups, in: store, clock: clock)
            try await set(.default, .of(500, refresh: 60), of: ledger)
            try await set(.model(ModelName("large")), .unlimited, of: ledger)
            try await set(.shared, .of(700, starting: 600), of: ledger)
            #expect(try await ledger.call(Ledger.Reserve.test(.random(), member, limit: 400)).grant?.limitedBy == nil)
            #expect(try await ledger.call(Ledger.Reserve.test(.random(), .test(2), limit: 400)).grant?.reserved == 10)
            try await ledger.stop()
        }
        let ledger = try await TestLedger(groups, in: store, clock: clock)
        let listed = try await ledger.call(Ledger.GroupBudgets())
        #expect(listed.map(\.group) == ["default", "lab"].map { GroupName($0) })
        #expect(listed.map(\.isLocked) == [true, false])
        #expect(
            listed.last?.budgets == [
                Ledger.Override(pool: "default", budget: .of(500, refresh: 60)),
                Ledger.Override(pool: "large", budget: .unlimited),
            ])
        #expect(listed.last?.sharedBudget == .of(700, starting: 600))
        #expect(listed.last?.shared?.max == 700)
        for entry in [Ledger.GroupEntry.default, .model(ModelName("large")), .shared] {
            try await set(entry, nil, of: ledger)
        }
        #expect(try await ledger.call(Ledger.GroupBudgets()).map(\.group) == [.everyone])
        #expect(try await ledger.pool(of: member).max == 10)
    }

    @Test func membersShareNoMoreThanTheGroupHas() async throws {
        let ledger = try await TestLedger([])
        try await set(.default, .of(1000), of: ledger)
        try await set(.shared, .of(1500), of: ledger)
        let calls = (1...3).map { Ledger.Reserve.test(.random(), .test(Int64($0), ["lab"]), limit: 750) }
        for call in calls.prefix(2) {
            _ = try await ledger.call(call)
            #expect(try await ledger.call(Ledger.Post.test(call.request, completion: 750)).billed == 750)
        }
        let refusal = try await ledger.call(calls[2]).refusal
        #expect(refusal?.reason == .insufficient)
        #expect(refusal?.limitedBy == .group)
        _ = try await ledger.call(Ledger.Reset(target: .group(lab)))
        #expect(try await ledger.call(Ledger.Reserve.test(.random(), member, limit: 100)).grant?.reserved == 100)
        #expect(try await ledger.call(Ledger.Verify()).faults == [])
    }

    @Test func aLowerMaximumHoldsAtOnceAndAHigherOneAddsNothing() async throws {
        let ledger = try await TestLedger([])
        try await set(.default, .of(1000), of: ledger)
        try await set(.shared, .of(2000), of: ledger)
        let call = Ledger.Reserve.test(.random(), member, limit: 300)
        _ = try await ledger.call(call)
        try await set(.default, .of(200), of: ledger)
        try await set(.shared, .of(250), of: ledger)
        #expect(try await ledger.pool(of: member) == .test(balance: 0, reserved: 300, max: 200, group: lab))
        #expect(try await ledger.call(Ledger.GroupBudgets()).first?.shared?.balance == 0)
        _ = try await ledger.call(Ledger.Post.test(call.request, member, completion: 10))
        #expect(try await ledger.pool(of: member) == .test(balance: 200, max: 200, group: lab))
        #expect(try await ledger.call(Ledger.GroupBudgets()).first?.shared?.balance == 250)
        try await set(.default, .of(5000), of: ledger)
        #expect(try await ledger.pool(of: member) == .test(balance: 200, max: 5000, group: lab))
        #expect(try await ledger.call(Ledger.Verify()).faults == [])
    }

    @Test func aPoolsClockStartsWhenTheEntryCameToBe() async throws {
        let ledger = try await TestLedger([])
        ledger.clock.pass(100 * hour)
        try await set(.default, .of(1000, refresh: 5, starting: 1), of: ledger)
        ledger.clock.pass(2 * hour)
        try await set(.default, .of(1000, refresh: 5, starting: 3), of: ledger)
        ledger.clock.pass(hour)
        #expect(try await ledger.pool(of: member).balance == 18)
        // Another rate counts from then on, for a pool that is there and for one that is not.
        _ = try await ledger.call(Ledger.Reserve.test(.random(), member, limit: 1))
        ledger.clock.pass(hour)
        try await set(.default, .of(1000, refresh: 50, starting: 3), of: ledger)
        ledger.clock.pass(hour)
        #expect(try await ledger.pool(of: member).balance == 72)
        #expect(try await ledger.pool(of: .test(2, ["lab"])).balance == 53)
    }

    @Test func theFileTakesAGroupOverAsAWhole() async throws {
        let ledger = try await TestLedger([])
        try await set(.default, .of(1000, refresh: 10, starting: 0), of: ledger)
        try await set(.shared, .of(50), of: ledger)
        ledger.clock.pass(3 * hour)
        try await ledger.follow([.test("lab", .of(400, starting: 100))])
        #expect(try await ledger.pool(of: member) == .test(balance: 100, max: 400, starting: 100, group: lab))
        let listed = try await ledger.call(Ledger.GroupBudgets()).first
        #expect(listed?.isLocked == true && listed?.shared == nil)
        for budget in [nil, Budget.of(5)] {
            let call = Ledger.SetGroupBudget(group: lab, entry: .default, budget: budget)
            #expect(await refusal(of: call, by: ledger) == .refused)
        }
        // What admins gave rests meanwhile, and so does its clock.
        ledger.clock.pass(3 * hour)
        try await ledger.follow([])
        ledger.clock.pass(hour)
        #expect(
            try await ledger.pool(of: member) == .test(balance: 10, max: 1000, refresh: 10, starting: 0, group: lab))
        #expect(try await ledger.call(Ledger.GroupBudgets()).first?.shared?.max == 50)
    }

    @Test func theSameBudgetAgainChangesNothing() async throws {
        let ledger = try await TestLedger([])
        for _ in 1...2 { try await set(.default, .of(1000, refresh: 5), of: ledger) }
        #expect(try await ledger.fetch("SELECT count(*) FROM budget_changes") == 1)
        for _ in 1...2 { try await set(.default, nil, of: ledger) }
        #expect(try await ledger.fetch("SELECT count(*) FROM budget_changes") == 2)
        #expect(try await ledger.fetch("SELECT count(*) FROM group_budgets") == 0)
    }

    @Test func whatIsNoBudgetIsRefused() async throws {
        let ledger = try await TestLedger([])
        let calls: [(group: String, entry: Ledger.GroupEntry, budget: Budget?)] = [
            ("", .default, nil), (String(repeating: "g", count: 101), .default, nil),
            ("lab", .model(ModelName("")), nil),
            ("lab", .model(ModelName("default")), nil), ("lab", .model(ModelName("*")), nil),
            ("lab", .model(ModelName(String(repeating: "m", count: 201))), nil), ("lab", .default, .of(-1)),
            ("lab", .shared, .of(Budget.mostTokens + 1)), ("lab", .shared, .of(10, starting: 11)),
            ("lab", .default, .of(10, refresh: Budget.mostRefresh + 1)), ("lab", .default, .of(10, refresh: -1)),
        ]
        for call in calls {
            let call = Ledger.SetGroupBudget(group: GroupName(call.group), entry: call.entry, budget: call.budget)
            #expect(await refusal(of: call, by: ledger) == .invalidParams)
        }
        #expect(try await ledger.fetch("SELECT count(*) FROM group_budgets") == 0)
    }

    @Test func theTableRefusesItToo() async throws {
        let ledger = try await TestLedger([])
        let rows = [
            "'', 'default', 10, 0, 10", "'lab', '', 10, 0, 10", "'lab', 'default', -1, 0, 0",
            "'lab', 'default', 1000000000000001, 0, 0", "'lab', 'default', 10, -1, 10",
            "'lab', 'default', 10, 1000000000001, 10", "'lab', 'default', 10, 0, 11", "'lab', 'default', 10, 0, -1",
            "'lab', 'default', NULL, 0, 1000000000000001",
        ]
        for row in rows {
            let error = await #expect(throws: CallError.self, "\(row)") { try await insert(row, into: ledger) }
            #expect(error?.code == .storageFailed)
        }
        try await insert("'lab', 'default', 1000000000000000, 1000000000000, 1000000000000000", into: ledger)
        try await insert("'lab', '*', NULL, 0, 0", into: ledger)
    }

    func insert(_ row: String, into ledger: TestLedger) async throws {
        try await ledger.database.write { connection in
            _ = try connection.execute(
                "INSERT INTO group_budgets (group_name, pool, max, refresh, starting) VALUES (\(row))")
        }
    }

    @Test func theLargestBudgetFits() async throws {
        let ledger = try await TestLedger([])
        try await set(.default, .of(Budget.mostTokens, refresh: Budget.mostRefresh), of: ledger)
        #expect(try await ledger.pool(of: member).balance == Budget.mostTokens)
    }

    @Test func anOlderReleasesBudgetsAreKept() async throws {
        let (store, clock) = (try TestDatabase(), TestClock())
        try await store.open(.ledger, Array(Schema.migrations.prefix(2))).write { connection in
            try connection.execute(
                "INSERT INTO overrides (user_id, pool, max, refresh, starting, since) VALUES (1, 'default', 70, 0, 7, 0)"
            )
        }
        let ledger = try await TestLedger([], in: store, clock: clock)
        #expect(try await ledger.pool(of: member) == .test(balance: 7, max: 70, starting: 7, group: nil))
        try await set(.shared, .of(5), of: ledger)
        #expect(try await ledger.call(Ledger.GroupBudgets()).first?.sharedBudget == .of(5))
    }
}
