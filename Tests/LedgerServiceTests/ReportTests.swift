import Storage
import StorageTesting
import Testing

@testable import SharedProtocol
@testable import ledger_service

/// Sums of usage, and what happens to old events.
@Suite(.bothEngines) struct ReportTests {
    let day: Int64 = 86_400_000
    let groups = [GroupConfiguration.test("default", .of(100_000))]

    private func used(_ tokens: TokenCount, _ user: Int64, on ledger: TestLedger, model: String = "small") async throws
    {
        _ = try await ledger.call(Ledger.Post.test(.random(), .test(user), completion: tokens, model: model))
    }

    @Test func sumsAreOfEventsByWhoWhatAndWhen() async throws {
        let ledger = try await TestLedger(groups, [.test("small", output: 1_000_000), .test("big")])
        try await used(10, 1, on: ledger)
        try await used(20, 1, on: ledger, model: "big")
        try await used(5, 2, on: ledger)
        ledger.clock.pass(40 * day)
        try await used(100, 2, on: ledger)
        let all = try await ledger.call(Ledger.Report(user: nil, month: nil))
        #expect(all.total == .test(requests: 4, completion: 135, cost: 115))
        #expect(all.days.map(\.name) == ["2026-05-28", "2026-07-07"])
        #expect(all.models.map(\.name) == ["small", "big"])
        #expect(all.users.map(\.name) == ["2", "1"])
        #expect(all.groups.map(\.name) == ["default"])
        #expect(all.firstMonth == Month(rawValue: "2026-05"))
        let may = try await ledger.call(Ledger.Report(user: nil, month: Month(rawValue: "2026-05")))
        #expect(may.total == .test(requests: 3, completion: 35, cost: 15))
        #expect(may.users.map(\.sum.completion) == [30, 5])
        let one = try await ledger.call(Ledger.Report(user: UserID(1), month: nil))
        #expect(one.total == .test(requests: 2, completion: 30, cost: 10))
        #expect(one.keys.map(\.name) == ["7"])
        for (user, first) in [(1, "2026-05"), (2, "2026-05"), (3, nil)] as [(Int64, String?)] {
            let july = Ledger.Report(user: UserID(user), month: Month(rawValue: "2026-07"))
            #expect(try await ledger.call(july).firstMonth == first.map { Month(rawValue: $0) })
        }
        #expect(try await ledger.call(Ledger.Verify()).faults == [])
    }

    @Test func verifyingFindsASumThatIsNotItsEvents() async throws {
        let ledger = try await TestLedger(groups)
        try await used(10, 1, on: ledger)
        try await ledger.database.write { connection in
            try connection.execute("UPDATE usage_of_user SET completion = completion + 1")
            try connection.execute("UPDATE pools SET balance = balance - 1")
        }
        let faults = try await ledger.call(Ledger.Verify()).faults
        #expect(faults.count == 4, "\(faults)")
    }

    @Test func oldEventsGoByWholeDaysAndTheirSumsStay() async throws {
        let ledger = try await TestLedger(groups)
        try await used(10, 1, on: ledger)
        ledger.clock.pass(3 * day)
        try await used(20, 1, on: ledger)
        let pruning = Pruning(ledger.database, retentionDays: { 2 }, logger: .silent)
        await pruning.prune(at: ledger.clock.now.wall)
        #expect(try await ledger.fetch("SELECT count(*) FROM usage_events") == 1)
        #expect(try await ledger.call(Ledger.Report(user: UserID(1), month: nil)).total.completion == 30)
        #expect(try await ledger.call(Ledger.Verify()).faults == [])
    }

    @Test func anEventIsNeitherChangedNorRemovedBeforeItsTime() async throws {
        let ledger = try await TestLedger(groups)
        try await used(10, 1, on: ledger)
        for change in ["UPDATE usage_events SET billed = 0", "DELETE FROM usage_events"] {
            await #expect(throws: CallError.self) { try await ledger.database.write { try $0.execute(change) } }
        }
    }
}

extension Ledger.UsageSum {
    static func test(requests: Int64, completion: TokenCount, cost: NanoDollars) -> Ledger.UsageSum {
        Ledger.UsageSum(requests: requests, completion: completion, billed: completion, cost: cost)
    }
}
