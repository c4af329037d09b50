import StorageTesting
import Testing

@testable import SharedProtocol
@testable import ledger_service

@Suite(.bothEngines) struct LeaseTests {
    let groups = [GroupConfiguration.test("default", .of(1000))]

    @Test func aSilentOwnersReservationsAreVoided() async throws {
        let ledger = try await TestLedger(groups)
        let call = Ledger.Reserve.test(limit: 300)
        _ = try await ledger.call(call)
        ledger.clock.pass(OwnerLeases.length)
        try await ledger.sweep()
        #expect(try await ledger.pool().reserved == 300)
        ledger.clock.pass(1)
        try await ledger.sweep()
        #expect(try await ledger.pool() == .test(balance: 1000, max: 1000))
        await #expect(throws: Book.hasEnded) { try await ledger.call(call) }
    }

    @Test func aLivingOwnersReservationsNeverExpire() async throws {
        let ledger = try await TestLedger(groups)
        _ = try await ledger.call(Ledger.Reserve.test(limit: 300))
        for _ in 0..<10 {
            ledger.clock.pass(OwnerLeases.length)
            _ = try await ledger.call(Ledger.Renew(owner: InstanceID("web"), progress: []))
            try await ledger.sweep()
        }
        #expect(try await ledger.pool().reserved == 300)
    }

    @Test func aSilentOwnersStreamIsBilledAtItsLastProgress() async throws {
        let ledger = try await TestLedger(groups)
        let call = try await requestLostAfter55Tokens(on: ledger)
        #expect(try await ledger.pool() == .test(balance: 945, max: 1000))
        let event = try await ledger.call(Ledger.Events(user: UserID(1), before: nil, limit: 1)).first
        #expect(event?.usage.outcome == .lost)
        #expect(event?.usage.isEstimated == true)
        #expect(event?.billed == 55)

        // The owner was only asleep: what it used beyond is corrected, once.
        let receipt = try await ledger.call(Ledger.Post.test(call.request, prompt: 20, completion: 80))
        #expect(receipt == Ledger.Receipt(billed: 100, writtenOff: 0, cost: 0))
        #expect(try await ledger.call(Ledger.Post.test(call.request, prompt: 20, completion: 500)) == receipt)
        #expect(try await ledger.pool() == .test(balance: 900, max: 1000))
        #expect(try await ledger.fetch("SELECT sum(prompt + completion) FROM usage_events") == 100)
    }

    private func requestLostAfter55Tokens(on ledger: TestLedger) async throws -> Ledger.Reserve {
        let call = Ledger.Reserve.test(limit: 300)
        _ = try await ledger.call(call)
        let progress = Ledger.Progress(request: call.request, prompt: 20, completion: 35)
        _ = try await ledger.call(Ledger.Renew(owner: InstanceID("web"), progress: [progress]))
        ledger.clock.pass(OwnerLeases.length + 1)
        try await ledger.sweep()
        while try await ledger.pool().reserved != 0 { try await Task.sleep(for: .milliseconds(5)) }
        return call
    }

    @Test func whatASleepingOwnerDidNotUseIsGivenBackToThePoolsThatPaid() async throws {
        let ledger = try await TestLedger([.test("default", .of(1000), shared: .of(5000))])
        let call = try await requestLostAfter55Tokens(on: ledger)
        #expect(try await ledger.pool() == .test(balance: 945, max: 1000))

        let receipt = try await ledger.call(Ledger.Post.test(call.request, prompt: 14, completion: 16))
        #expect(receipt == Ledger.Receipt(billed: 30, writtenOff: 0, cost: 0))
        #expect(try await ledger.call(Ledger.Post.test(call.request, prompt: 1, completion: 1)) == receipt)
        #expect(try await ledger.pool() == .test(balance: 970, max: 1000))
        #expect(try await ledger.fetch("SELECT balance FROM pools WHERE holder = 'group:default'") == 4970)
        #expect(try await ledger.fetch("SELECT sum(billed) FROM usage_events WHERE is_correction = 1") == -25)
        #expect(try await ledger.call(Ledger.Verify()).faults == [])
    }

    @Test func whatIsGivenBackFitsThePool() async throws {
        let ledger = try await TestLedger([.test("default", .of(1000, refresh: 3600))])
        let call = try await requestLostAfter55Tokens(on: ledger)
        // Of 55 tokens that are missing, 45 accrue meanwhile.
        ledger.clock.pass(45_000)
        #expect(try await ledger.call(Ledger.Post.test(call.request, completion: 30)).billed == 30)
        #expect(try await ledger.pool().balance == 1000)
        #expect(try await ledger.fetch("SELECT sum(tokens) FROM entries WHERE kind = 'capped'") == -15)
        #expect(try await ledger.call(Ledger.Verify()).faults == [])
    }

    @Test func progressOfAnotherOwnersRequestIsIgnored() async throws {
        let ledger = try await TestLedger(groups)
        let call = Ledger.Reserve.test(limit: 300)
        _ = try await ledger.call(call)
        let progress = Ledger.Progress(request: call.request, prompt: 20, completion: 35)
        _ = try await ledger.call(Ledger.Renew(owner: InstanceID("other"), progress: [progress]))
        ledger.clock.pass(OwnerLeases.length + 1)
        try await ledger.sweep()
        #expect(try await ledger.pool() == .test(balance: 1000, max: 1000))
    }

    @Test func aLateWordAboutAVoidedRequestIsBilled() async throws {
        let ledger = try await TestLedger(groups)
        let call = Ledger.Reserve.test(limit: 300)
        _ = try await ledger.call(call)
        ledger.clock.pass(OwnerLeases.length + 1)
        try await ledger.sweep()
        #expect(try await ledger.call(Ledger.Post.test(call.request, completion: 40)).billed == 40)
        #expect(try await ledger.pool() == .test(balance: 960, max: 1000))
    }
}
