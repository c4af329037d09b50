import Storage
import StorageTesting
import Testing

@testable import SharedProtocol
@testable import ledger_service

/// Ledgers that share the rows of one PostgreSQL.
@Suite(.enabled(if: TestDatabase.engines.contains(.postgres))) struct SeveralLedgersTests {
    @Test func exactlyWhatFitsIsPosted() async throws {
        let store = try TestDatabase(.postgres)
        let groups = [GroupConfiguration.test("default", .of(3200))]
        let ledgers = [try await TestLedger(groups, in: store), try await TestLedger(groups, in: store)]
        let billed = try await withThrowingTaskGroup(of: TokenCount.self) { group in
            for client in 0..<64 {
                group.addTask {
                    let ledger = ledgers[client % 2]
                    let call = Ledger.Reserve.test(limit: 100, owner: "web-\(client % 2)")
                    guard let grant = try await ledger.call(call).grant else { return 0 }
                    return try await ledger.call(Ledger.Post.test(call.request, completion: grant.outputLimit)).billed
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(billed == 3200)
        #expect(try await ledgers[0].pool() == .test(balance: 0, max: 3200))
        #expect(try await ledgers[0].call(Ledger.Verify()).faults == [])
    }

    @Test func whatOneReservedTheOtherPosts() async throws {
        let store = try TestDatabase(.postgres)
        let groups = [GroupConfiguration.test("default", .of(1000))]
        let (one, other) = (try await TestLedger(groups, in: store), try await TestLedger(groups, in: store))
        let call = Ledger.Reserve.test(limit: 300)
        let decision = try await one.call(call)
        #expect(try await other.call(call) == decision)
        #expect(try await other.call(Ledger.Post.test(call.request, completion: 120)).billed == 120)
        #expect(try await one.call(Ledger.Post.test(call.request, completion: 120)).billed == 120)
        #expect(try await one.pool() == .test(balance: 880, max: 1000))
    }

    @Test func anOverrideThroughOneHoldsInTheOther() async throws {
        let store = try TestDatabase(.postgres)
        let groups = [GroupConfiguration.test("default", .of(10))]
        let (one, other) = (try await TestLedger(groups, in: store), try await TestLedger(groups, in: store))
        _ = try await one.call(Ledger.SetOverride(user: UserID(1), pool: "default", budget: .of(5000)))
        #expect(try await other.call(Ledger.Reserve.test(limit: 4000)).grant?.limitedBy == nil)
    }

    @Test func aGroupsBudgetThroughOneHoldsInTheOther() async throws {
        let store = try TestDatabase(.postgres)
        let groups = [GroupConfiguration.test("default", .of(10))]
        let (one, other) = (try await TestLedger(groups, in: store), try await TestLedger(groups, in: store))
        let account = Ledger.Account.test(1, ["default", "lab"])
        for (entry, budget) in [(Ledger.GroupEntry.default, Budget.of(5000)), (.shared, .of(3000))] {
            _ = try await one.call(Ledger.SetGroupBudget(group: GroupName("lab"), entry: entry, budget: budget))
        }
        let call = Ledger.Reserve.test(.random(), account, limit: 4000)
        #expect(try await other.call(call).grant == Ledger.Grant(reserved: 3000, outputLimit: 3000, limitedBy: .group))
        _ = try await other.call(Ledger.SetGroupBudget(group: GroupName("lab"), entry: .shared, budget: nil))
        #expect(try await one.call(Ledger.Reserve.test(.random(), account, limit: 2000)).grant?.limitedBy == nil)
        let listed = try await one.call(Ledger.GroupBudgets())
        #expect(try await other.call(Ledger.GroupBudgets()) == listed)
    }

    @Test func whatOneGivesBackTheOthersWaitingRequestGets() async throws {
        let store = try TestDatabase(.postgres)
        let groups = [GroupConfiguration.test("default", .of(100))]
        let (one, other) = (try await TestLedger(groups, in: store), try await TestLedger(groups, in: store))
        let call = Ledger.Reserve.test(limit: 100)
        _ = try await one.call(call)
        let waiting = Task { try await other.call(Ledger.Reserve.test(limit: 100)) }
        while other.waitingCount == 0 { try await Task.sleep(for: .milliseconds(5)) }
        _ = try await one.call(Ledger.Void(request: call.request))
        #expect(try await waiting.value.grant?.reserved == 100)
    }

    @Test func aLeaseThatOneRenewsTheOtherDoesNotEnd() async throws {
        let (store, clock) = (try TestDatabase(.postgres), TestClock())
        let groups = [GroupConfiguration.test("default", .of(1000))]
        let one = try await TestLedger(groups, in: store, clock: clock)
        let other = try await TestLedger(groups, in: store, clock: clock)
        _ = try await one.call(Ledger.Reserve.test(limit: 100, owner: "alive"))
        _ = try await one.call(Ledger.Reserve.test(limit: 200, owner: "dead"))
        clock.pass(OwnerLeases.length + 1)
        _ = try await one.call(Ledger.Renew(owner: InstanceID("alive"), progress: []))
        try await other.sweep()
        #expect(try await one.pool() == .test(balance: 900, reserved: 100, max: 1000))
    }
}
