import NIOCore
import SharedProtocol
import Testing

@testable import web_service

/// A router that is silent and yet answers the cancel that follows: for the client it is one that went away.
@Suite struct RouterStreamTests {
    @Test func aRequestThatHadNoEventYetMayGoToAnotherRouter() async throws {
        let router = silentRouter(events: [])
        let stream = Task { try await open(on: router) }
        while router.outstanding == 0 { try await Task.sleep(for: .milliseconds(5)) }
        while router.outstanding > 0 {
            router.giveUp(after: .hours(1))
            try await Task.sleep(for: .milliseconds(5))
        }
        await #expect(throws: CallError.self) { _ = try await stream.value }
        #expect(router.outstanding == 0)
    }

    @Test func aStreamIsNotTakenForOneThatItsClientLeft() async throws {
        let router = silentRouter(events: ["1"])
        let stream = try await open(on: router)
        #expect(try await stream.next().count == 1)
        router.giveUp(after: .hours(1))
        #expect(try await stream.next().isEmpty)
        #expect(throws: CallError.self) { _ = try stream.completion }
    }

    @Test func aWebThatIsLateDoesNotTakeThatForTheRoutersSilence() {
        let router = silentRouter(events: [])
        var now = NIODeadline.now()
        func miss(after passed: TimeAmount) {
            now = now + passed
            router.pinged(isAlive: false, at: now)
        }
        miss(after: .seconds(30))
        #expect(router.rank != nil, "one ping that was missed")
        miss(after: RouterPool.pingPeriod)
        #expect(router.rank == nil)
        router.pinged(isAlive: true, at: now)
        #expect(router.rank != nil)
        miss(after: RouterPool.pingPeriod)
        router.heard()
        miss(after: RouterPool.pingPeriod)
        #expect(router.rank != nil, "it was heard in between")
    }

    @Test func aSilentRouterKeepsWhatItHasBegunForTenSeconds() async throws {
        let router = silentRouter(events: ["1"])
        let stream = try await open(on: router)
        #expect(try await stream.next().count == 1)
        let pings = Int(RouterPool.deathLimit.nanoseconds / RouterPool.pingPeriod.nanoseconds)
        var now = NIODeadline.now()
        for _ in 0...pings {
            now = now + .seconds(10)
            router.pinged(isAlive: false, at: now)
        }
        #expect(try await stream.next().isEmpty)
        #expect(throws: CallError.self) { _ = try stream.completion }
    }

    @Test func aStreamThatIsCancelledByUsTellsWhatItDid() async throws {
        let stream = try await open(on: silentRouter(events: ["1"]))
        #expect(try await stream.next().count == 1)
        stream.cancel()
        #expect(try await stream.next().isEmpty)
        #expect(try stream.completion.isCancelled)
    }

    /// It answers no ping, sends these events and waits for a cancel.
    private func silentRouter(events: [String]) -> RouterInstance {
        var table = CallTable()
        table.onStream(Router.Complete.self) { _, _, _, sink async throws(CallError) in
            for event in events { try await sink.send(ByteBuffer(string: event)) }
            while !Task.isCancelled { try? await Task.sleep(for: .seconds(60)) }
            return Router.Completion(isCancelled: true, contentEvents: Int64(events.count))
        }
        return RouterInstance("test", InProcessCaller(table))
    }

    private func open(on router: RouterInstance) async throws(CallError) -> RouterStream {
        let call = Router.Complete(
            model: ModelName("a"), operation: .chatCompletions, isStream: true, outputLimit: 1, outputLimitField: nil,
            relaysUsage: false)
        return try await RouterStream.open(
            call, body: ByteBuffer(), request: .random(), timeout: .seconds(60), on: router,
            router.chosen(turn: 1))
    }
}
