import Storage
import StorageTesting
import Testing

@testable import SharedProtocol
@testable import ledger_service

@Suite(.bothEngines) struct DurabilityTests {
    let groups = [GroupConfiguration.test("default", .of(1000))]

    @Test func whatWasAnsweredIsThereAfterARestart() async throws {
        let store = try TestDatabase()
        let request = RequestID.random()
        let receipt: Ledger.Receipt
        do {
            let ledger = try await TestLedger(groups, in: store)
            receipt = try await ledger.call(Ledger.Post.test(request, prompt: 3, completion: 97))
            try await ledger.stop()
        }
        let ledger = try await TestLedger(groups, in: store)
        #expect(try await ledger.pool() == .test(balance: 900, max: 1000))
        #expect(try await ledger.call(Ledger.Post.test(request, completion: 500)) == receipt)
        #expect(try await ledger.pool() == .test(balance: 900, max: 1000))
    }

    @Test func refillGoesOnAcrossARestart() async throws {
        let (store, clock) = (try TestDatabase(), TestClock())
        let groups = [GroupConfiguration.test("default", .of(1000, refresh: 36, starting: 100))]
        do {
            let first = try await TestLedger(groups, in: store, clock: clock)
            _ = try await first.call(Ledger.Post.test(.random(), completion: 100))
            clock.pass(150_000)
            // Half a token is carried.
            _ = try await first.call(Ledger.Post.test(.random(), completion: 0))
            try await first.stop()
        }
        clock.pass(50_000)
        let second = try await TestLedger(groups, in: store, clock: clock)
        #expect(try await second.pool().balance == 2)
    }

    @Test func entriesAreNeverChanged() async throws {
        let ledger = try await TestLedger(groups)
        _ = try await ledger.call(Ledger.Post.test(.random(), completion: 10))
        for change in ["UPDATE entries SET tokens = 0", "DELETE FROM entries"] {
            await #expect(throws: CallError.self) { try await ledger.database.write { try $0.execute(change) } }
        }
        #expect(try await ledger.fetch("SELECT sum(tokens) FROM entries") == 990)
    }

    @Test func theDatabaseRefusesABrokenBalance() async throws {
        let ledger = try await TestLedger(groups)
        _ = try await ledger.call(Ledger.Post.test(.random(), completion: 10))
        for change in ["balance = -1", "reserved = -1", "balance = 1001", "reserved = 11"] {
            let error = await #expect(throws: CallError.self) {
                try await ledger.database.write { try $0.execute("UPDATE pools SET \(change)") }
            }
            #expect(error?.code == .storageFailed)
        }
    }
}
