import Storage
import StorageTesting
import Testing

@testable import SharedProtocol
@testable import ledger_service

/// What only the ledger in memory does: it writes behind, and takes up what it wrote.
struct JournalTests {
    let groups = [GroupConfiguration.test("default", .of(1000))]

    @Test func aRestartGivesReservationsBackAndALatePostIsBilledDirectly() async throws {
        let store = try TestDatabase()
        let live = Ledger.Reserve.test(limit: 400)
        do {
            let ledger = try await TestLedger(groups, in: store)
            _ = try await ledger.call(live)
            // Writes the pool's row, with what is reserved.
            _ = try await ledger.call(Ledger.Post.test(.random(), completion: 100))
            #expect(try await ledger.fetch("SELECT reserved FROM pools") == 400)
            try await ledger.stop()
        }
        let ledger = try await TestLedger(groups, in: store)
        #expect(try await ledger.pool() == .test(balance: 900, max: 1000))
        let receipt = try await ledger.call(Ledger.Post.test(live.request, completion: 250))
        #expect(receipt == Ledger.Receipt(billed: 250, writtenOff: 0, cost: 0))
        #expect(try await ledger.pool() == .test(balance: 650, max: 1000))
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
        #expect(ledger.engine.problems == [Book.storageIsFailing.message])
        try await ledger.database.write { try $0.script("DROP TRIGGER refuse; DROP TRIGGER refuse_pools") }
        // Nobody posts; the journal finds out by itself.
        while !ledger.engine.problems.isEmpty { try await Task.sleep(for: .milliseconds(10)) }
        #expect(try await ledger.call(Ledger.Reserve.test(limit: 100)).grant != nil)
        #expect(try await ledger.call(Ledger.Post.test(call.request, completion: 1)).billed == 1)
    }

    @Test func aReservationOlderThanASecondSurvivesARestartUntilItsOwnersLeaseEnds() async throws {
        let (store, clock) = (try TestDatabase(), TestClock())
        let (old, progressed) = (Ledger.Reserve.test(limit: 400), Ledger.Reserve.test(limit: 100))
        do {
            let ledger = try await TestLedger(groups, in: store, clock: clock)
            _ = try await ledger.call(old)
            _ = try await ledger.call(progressed)
            clock.pass(Reservation.storedAfter)
            try await ledger.sweep()
            let progress = Ledger.Progress(request: progressed.request, prompt: 5, completion: 20)
            _ = try await ledger.call(Ledger.Renew(owner: InstanceID("web"), progress: [progress]))
            try await ledger.sweep()
            try await ledger.stop()
        }
        let ledger = try await TestLedger(groups, in: store, clock: clock)
        #expect(try await ledger.pool() == .test(balance: 500, reserved: 500, max: 1000))
        clock.pass(OwnerLeases.length + 1)
        try await ledger.sweep()
        #expect(try await ledger.pool() == .test(balance: 975, max: 1000))
        #expect(try await ledger.fetch("SELECT count(*) FROM reservations") == 0)
        try await ledger.sweep()
        #expect(try await ledger.fetch("SELECT count(*) FROM owners") == 0)
    }

    @Test func nothingNewIsReservedBeforeTheWebsHaveSpoken() async throws {
        let (store, clock) = (try TestDatabase(), TestClock())
        let live = Ledger.Reserve.test(limit: 900)
        let grant: Ledger.Grant?
        do {
            let ledger = try await TestLedger(groups, in: store, clock: clock)
            grant = try await ledger.call(live).grant
            // Too young to have a row.
            #expect(try await ledger.fetch("SELECT count(*) FROM reservations") == 0)
            try await ledger.stop()
        }
        let ledger = try await TestLedger(groups, in: store, clock: clock)
        let other = Task { try await ledger.call(Ledger.Reserve.test(limit: 200, owner: "other")) }
        let local = try #require(ledger.engine as? LocalLedger)
        while local.book.heldBackCount == 0 { try await Task.sleep(for: .milliseconds(5)) }
        let progress = Ledger.Progress(request: live.request, prompt: 0, completion: 0)
        let assertion = Ledger.Assertion(reserve: live, grant: try #require(grant), progress: progress)
        _ = try await ledger.call(Ledger.Assert(owner: InstanceID("web"), reservations: [assertion]))
        #expect(try await other.value.refusal == nil)
        #expect(try await ledger.pool() == .test(balance: 0, reserved: 1000, max: 1000))
        #expect(try await ledger.call(Ledger.Post.test(live.request, completion: 900)).billed == 900)
    }

    @Test func aRequestThatIsReservedAgainAfterARestartIsNotBilledAgain() async throws {
        let store = try TestDatabase()
        let call = Ledger.Reserve.test(limit: 100)
        let receipt: Ledger.Receipt
        do {
            let ledger = try await TestLedger(groups, in: store)
            _ = try await ledger.call(call)
            receipt = try await ledger.call(Ledger.Post.test(call.request, completion: 60))
            _ = try await ledger.call(Ledger.Renew(owner: InstanceID("web"), progress: [], isLeaving: true))
            try await ledger.stop()
        }
        let ledger = try await TestLedger(groups, in: store)
        _ = try await ledger.call(call)
        #expect(try await ledger.call(Ledger.Post.test(call.request, completion: 60)) == receipt)
        #expect(try await ledger.pool() == .test(balance: 940, max: 1000))
    }

    @Test func anOwnerThatLeftWithNothingIsNotWaitedFor() async throws {
        let store = try TestDatabase()
        do {
            let ledger = try await TestLedger(groups, in: store)
            let call = Ledger.Reserve.test(limit: 400)
            _ = try await ledger.call(call)
            _ = try await ledger.call(Ledger.Post.test(call.request, completion: 1))
            _ = try await ledger.call(Ledger.Renew(owner: InstanceID("web"), progress: [], isLeaving: true))
            try await ledger.stop()
        }
        let ledger = try await TestLedger(groups, in: store)
        #expect((ledger.engine as? LocalLedger)?.book.isOpen == true)
    }

    @Test func anOwnerThatDoesNotNameAStoredReservationGivesItBack() async throws {
        let (store, clock) = (try TestDatabase(), TestClock())
        do {
            let ledger = try await TestLedger(groups, in: store, clock: clock)
            _ = try await ledger.call(Ledger.Reserve.test(limit: 400))
            clock.pass(Reservation.storedAfter)
            try await ledger.sweep()
            try await ledger.stop()
        }
        let ledger = try await TestLedger(groups, in: store, clock: clock)
        _ = try await ledger.call(Ledger.Assert(owner: InstanceID("web"), reservations: []))
        #expect(try await ledger.pool() == .test(balance: 1000, max: 1000))
    }

    @Test func aPageIsReadFromTheIndex() async throws {
        let ledger = try await TestLedger([])
        let query = "SELECT * FROM usage_events WHERE user_id = 1 AND id < 9 ORDER BY id DESC LIMIT 5"
        let plan = try await ledger.database.read { database in
            try database.rows("EXPLAIN QUERY PLAN \(query)").map { $0["detail"] as String }
        }
        #expect(plan == ["SEARCH usage_events USING INDEX usage_events_of_user (user_id=? AND rowid<?)"])
    }
}
