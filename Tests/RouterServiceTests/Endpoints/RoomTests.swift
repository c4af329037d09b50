import NIOConcurrencyHelpers
import NIOCore
import SharedProtocol
import Testing

@testable import router_service

/// `max_concurrency`, the line before full endpoints, and backends that ask for a pause.
@Suite(.timeLimit(.minutes(1))) struct RoomTests {
    private static let urls = ["http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1"]
    private static let later = NIODeadline.distantFuture

    @Test func noMoreThanTheLimitAreLetIn() throws {
        let directory = EndpointDirectory(try RouterHarness.configuration(Self.urls, options: "max_concurrency: 2"))
        for _ in 0..<4 { #expect(directory.choose(RouterHarness.model, excluding: []) != nil) }
        #expect(directory.report.map(\.inFlight) == [2, 2])
        guard case .full = directory.selectNow(RouterHarness.model, excluding: []) else {
            Issue.record("a fifth one was not told to wait")
            return
        }
    }

    @Test func thoseWhoWaitAreServedInTheirOrder() async throws {
        let directory = EndpointDirectory(
            try RouterHarness.configuration([Self.urls[0]], options: "max_concurrency: 1"))
        var running = try #require(directory.choose(RouterHarness.model, excluding: []))
        try await withThrowingTaskGroup(of: (Int, EndpointDirectory.Choice?).self) { group in
            for number in 0..<5 {
                group.addTask { (number, await directory.wait(until: Self.later)) }
                try await eventually("it stands in line") { directory.lineLength == number + 1 }
            }
            for expected in 0..<5 {
                directory.release(running)
                let (number, choice) = try #require(try await group.next())
                #expect(number == expected)
                running = try #require(choice)
                #expect(directory.report[0].inFlight == 1)
            }
        }
        #expect(directory.lineLength == 0)
    }

    @Test func aNewcomerDoesNotOvertake() async throws {
        let directory = EndpointDirectory(
            try RouterHarness.configuration([Self.urls[0]], options: "max_concurrency: 1"))
        let first = try #require(directory.choose(RouterHarness.model, excluding: []))
        async let second = directory.wait(until: Self.later)
        try await eventually("it stands in line") { directory.lineLength == 1 }
        // The line is served only by a release, so the place stands open for a moment.
        first.endpoint.record.release(first.admission)
        async let third = directory.wait(until: Self.later)
        let choice = try #require(await second)
        #expect(directory.report[0].inFlight == 1)
        directory.release(choice)
        #expect(await third != nil)
    }

    @Test func whoLeavesTheLineIsForgotten() async throws {
        let directory = EndpointDirectory(
            try RouterHarness.configuration([Self.urls[0]], options: "max_concurrency: 1"))
        let running = try #require(directory.choose(RouterHarness.model, excluding: []))
        let waiting = Task { await directory.wait(until: Self.later) }
        try await eventually("it stands in line") { directory.lineLength == 1 }
        waiting.cancel()
        #expect(await waiting.value == nil)
        #expect(directory.lineLength == 0)
        directory.release(running)
        #expect(directory.report[0].inFlight == 0)
    }

    @Test func aFullLineRefusesAtOnce() async throws {
        let directory = EndpointDirectory(
            try RouterHarness.configuration([Self.urls[0]], options: "max_concurrency: 1"))
        _ = directory.choose(RouterHarness.model, excluding: [])
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<WaitingLine.limit { group.addTask { _ = await directory.wait(until: Self.later) } }
            try? await eventually("the line is full") { directory.lineLength == WaitingLine.limit }
            let selection = await directory.select(RouterHarness.model, excluding: [], until: Self.later)
            if case .tooBusy = selection {} else { Issue.record("it was not refused: \(selection)") }
            group.cancelAll()
        }
    }

    @Test func whoWaitedTooLongIsToldWhen() async throws {
        let script: ScriptedBackend.Script = { try await $0.closed() }
        try await ScriptedBackend.run(script) { backend in
            let router = try RouterHarness([backend.url], options: "max_concurrency: 1", total: .milliseconds(200))
            let running = try #require(router.directory.choose(RouterHarness.model, excluding: []))
            let answer = Task { try await router.complete().completion.failure }
            try await eventually("it stands in line") { router.directory.lineLength == 1 }
            try await Task.sleep(for: .milliseconds(200))
            router.directory.serveLines()
            #expect(try await answer.value == .rateLimited(retryAfterMs: Router.Failure.roomRetryMs))
            router.directory.release(running)
            #expect(backend.requests.isEmpty)
        }
    }

    @Test func aBackendThatAsksForAPauseGetsIt() async throws {
        let tired: ScriptedBackend.Script = { try await $0.answer("429 X", extra: "Retry-After: 30\r\n", "{}") }
        let good: ScriptedBackend.Script = { try await $0.stream([Sample.hello, Sample.end, "[DONE]"]) }
        try await ScriptedBackend.run(tired) { tired in
            try await ScriptedBackend.run(good) { good in
                let router = try RouterHarness([tired.url, good.url])
                for _ in 0..<6 {
                    let failure = try await router.complete().completion.failure
                    #expect(failure == nil)
                }
                #expect(tired.requests.count == 1)
                #expect(good.requests.count == 6)
            }
        }
    }

    @Test func oneThatIsUnavailableForATimeIsLeftAloneForIt() async throws {
        let away: ScriptedBackend.Script = { try await $0.answer("503 X", extra: "Retry-After: 30\r\n", "{}") }
        try await ScriptedBackend.run(away) { away in
            let router = try RouterHarness([away.url])
            #expect(try await router.complete().completion.failure == .upstream)
            let failure = try #require(try await router.complete().completion.failure)
            #expect(failure.kind == .noHealthyEndpoint)
            #expect((Router.Failure.endpointRetryMs...30_000).contains(failure.retryAfterMs ?? 0))
            #expect(away.requests.count == 1)
        }
    }

    @Test func whenAllPauseTheShortestPauseIsTold() async throws {
        let script: ScriptedBackend.Script = { reply in
            let delay = reply.request.header("authorization") == "Bearer key-of-0" ? "20" : "86400"
            try await reply.answer("429 X", extra: "Retry-After: \(delay)\r\n", "{}")
        }
        try await ScriptedBackend.run(script) { backend in
            let router = try RouterHarness([backend.url, backend.url])
            _ = try await router.complete()
            let failure = try #require(try await router.complete().completion.failure)
            #expect(failure.kind == .rateLimited)
            #expect((1...20_000).contains(failure.retryAfterMs ?? 0))
            #expect(backend.requests.count == 2)
            let now = NIODeadline.now()
            let rests = router.directory.all.map { $0.record.availability(at: now, limit: nil) }
            // However long a pause was asked for.
            let latest = now + EndpointRecord.longestRest
            #expect(rests.allSatisfy { if case .resting(let rest) = $0 { rest.until <= latest } else { false } })
        }
    }
}

extension EndpointDirectory {
    var lineLength: Int { state.withLockedValue { $0.lines[RouterHarness.model]?.waiters.count ?? 0 } }

    func wait(until deadline: NIODeadline) async -> Choice? {
        if case .chosen(let choice) = await select(RouterHarness.model, excluding: [], until: deadline) {
            choice
        } else {
            nil
        }
    }
}
