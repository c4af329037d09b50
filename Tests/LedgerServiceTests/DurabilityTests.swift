import Storage
import Testing

@testable import SharedProtocol
@testable import ledger_service

struct DurabilityTests {
    let groups = [GroupConfiguration.test("default", .of(1000))]

    @Test func whatWasAnsweredIsThereAfterARestart() async throws {
        let folder = try ScratchFolder()
        let request = RequestID.random()
        let receipt: Ledger.Receipt
        do {
            let ledger = try await TestLedger(groups, in: folder)
            receipt = try await ledger.call(Ledger.Post.test(request, prompt: 3, completion: 97))
            try await ledger.stop()
        }
        let ledger = try await TestLedger(groups, in: folder)
        #expect(try await ledger.pool() == .test(balance: 900, max: 1000))
        #expect(try await ledger.call(Ledger.Post.test(request, completion: 500)) == receipt)
        #expect(try await ledger.pool() == .test(balance: 900, max: 1000))
    }

    @Test func aRestartGivesReservationsBackAndALatePostIsBilledDirectly() async throws {
        let folder = try ScratchFolder()
        let live = Ledger.Reserve.test(limit: 400)
        do {
            let ledger = try await TestLedger(groups, in: folder)
            _ = try await ledger.call(live)
            // Writes the pool's row, with what is reserved.
            _ = try await ledger.call(Ledger.Post.test(.random(), completion: 100))
            #expect(try await ledger.fetch("SELECT reserved FROM pools") == 400)
            try await ledger.stop()
        }
        let ledger = try await TestLedger(groups, in: folder)
        #expect(try await ledger.pool() == .test(balance: 900, max: 1000))
        let receipt = try await ledger.call(Ledger.Post.test(live.request, completion: 250))
        #expect(receipt == Ledger.Receipt(billed: 250, writtenOff: 0, cost: 0))
        #expect(try await ledger.pool() == .test(balance: 650, max: 1000))
    }

    @Test func refillGoesOnAcrossARestart() async throws {
        let (folder, clock) = (try ScratchFolder(), TestClock())
        let groups = [GroupConfiguration.test("default", .of(1000, refresh: 36, starting: 100))]
        do {
            let first = try await TestLedger(groups, in: folder, clock: clock)
            _ = try await first.call(Ledger.Post.test(.random(), completion: 100))
            clock.pass(150_000)
            // Half a token is carried.
            _ = try await first.call(Ledger.Post.test(.random(), completion: 0))
            try await first.stop()
        }
        clock.pass(50_000)
        let second = try await TestLedger(groups, in: folder, clock: clock)
        #expect(try await second.pool().balance == 2)
    }

    @Test func aFullDiskAcknowledgesNothingAndIsRecoveredFrom() async throws {
        let ledger = try await TestLedger([.test("default", .of(1_000_000))])
        let bulk = String(repeating: "x", count: 2000)
        try await ledger.database.write { database in
            let pages: Int = try database.value("PRAGMA page_count") ?? 0
            try database.script("PRAGMA max_page_count = \(pages + 4)")
        }
        let live = Ledger.Reserve.test(limit: 500)
        _ = try await ledger.call(live)
        var billed: TokenCount = 0
        var failure: CallError?
        while failure == nil {
            do throws(CallError) {
                billed += try await ledger.call(Ledger.Post.test(.random(), completion: 10, endpoint: bulk)).billed
            } catch {
                failure = error
            }
        }
        #expect(failure?.code == .storageFailed)
        await #expect(throws: CallError.self) {
            try await ledger.call(Ledger.Post.test(live.request, completion: 500, endpoint: bulk))
        }
        #expect(try await ledger.fetch("SELECT coalesce(sum(billed), 0) FROM usage_events") == billed.rawValue)
        #expect(try await ledger.pool() == .test(balance: 999_500 - billed, reserved: 500, max: 1_000_000))

        try await ledger.database.write { try $0.script("PRAGMA max_page_count = 1000000") }
        #expect(try await ledger.call(Ledger.Post.test(live.request, completion: 500, endpoint: bulk)).billed == 500)
        #expect(try await ledger.pool() == .test(balance: 999_500 - billed, max: 1_000_000))
    }

    @Test func nothingIsReservedWhileTheDatabaseRefuses() async throws {
        let ledger = try await TestLedger(groups)
        try await ledger.database.write { database in
            try database.script(
                """
                CREATE TRIGGER refuse BEFORE INSERT ON usage_events BEGIN SELECT RAISE(ABORT, 'no'); END;
                CREATE TRIGGER refuse_pools BEFORE INSERT ON pools BEGIN SELECT RAISE(ABORT, 'no'); END;
                """)
        }
        let call = Ledger.Reserve.test(limit: 100)
        _ = try await ledger.call(call)
        await #expect(throws: CallError.self) { try await ledger.call(Ledger.Post.test(call.request, completion: 1)) }
        await #expect(throws: Book.storageIsFailing) { try await ledger.call(Ledger.Reserve.test(limit: 100)) }
        #expect(ledger.calls.problems == [Book.storageIsFailing.message])
        try await ledger.database.write { try $0.script("DROP TRIGGER refuse; DROP TRIGGER refuse_pools") }
        // Nobody posts; the journal finds out by itself.
        while !ledger.calls.problems.isEmpty { try await Task.sleep(for: .milliseconds(10)) }
        #expect(try await ledger.call(Ledger.Reserve.test(limit: 100)).grant != nil)
        #expect(try await ledger.call(Ledger.Post.test(call.request, completion: 1)).billed == 1)
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
