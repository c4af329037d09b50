import NIOConcurrencyHelpers
import NIOCore
import SharedProtocol
import Testing

@testable import web_service

/// Whatever happens to a request, its reservation ends exactly once, and what was produced is billed.
@Suite struct ChatCallTests {
    @Test func aWholeAnswerIsBilledAsReported() async throws {
        let site = try await ChatCallHarness()
        let answer = try await site.begin()
        let events = await read(answer)
        #expect(events == 3)
        let post = try #require(site.recorded.posts.first)
        #expect(post.usage.prompt == 5)
        #expect(post.usage.completion == 3)
        #expect(!post.usage.isEstimated)
        #expect(post.usage.outcome == .completed)
        #expect(answer.settlement.receipt?.billed == 8)
        #expect(site.recorded.posts.count == 1)
        #expect(site.recorded.voids.isEmpty)
    }

    @Test func withoutReportedUsageItIsEstimatedAndMarked() async throws {
        var script = ChatCallHarness.Script()
        script.completion.usage = nil
        script.completion.contentBytes = 41
        let site = try await ChatCallHarness(script)
        _ = await read(try await site.begin())
        let post = try #require(site.recorded.posts.first)
        #expect(post.usage.isEstimated)
        #expect(post.usage.completion == 11, "⌈41 / 4⌉ is more than 3 events")
        #expect(post.usage.prompt == 1, "⌈4 bytes of “[{}]” / 4⌉")
    }

    @Test func aRefusedReserveCostsNothing() async throws {
        var script = ChatCallHarness.Script()
        script.decision = .refused(
            Ledger.Refusal(reason: .insufficient, limitedBy: .user, remaining: 7, retryAfterMs: 61_500))
        let site = try await ChatCallHarness(script)
        let error = await #expect(throws: APIError.self) { try await site.begin() }
        #expect(error?.status == 429)
        #expect(error?.code == "insufficient_quota")
        #expect(error?.retryAfter == 62)
        #expect(error?.shouldRetry == false)
        #expect(error?.message.contains("7 tokens") == true)
        #expect(site.recorded.posts.isEmpty)
        #expect(site.recorded.voids.isEmpty)
    }

    @Test(
        arguments: [
            (Router.Failure.Kind.rejected, 422, nil), (.rateLimited, 429, "upstream_rate_limited"),
            (.noHealthyEndpoint, 503, "no_healthy_endpoint"), (.upstream, 502, "upstream_error"),
            (.timeout, 504, "upstream_timeout"),
        ] as [(Router.Failure.Kind, Int, String?)])
    func aFailureBeforeTheFirstEventIsVoided(_ kind: Router.Failure.Kind, _ status: Int, _ code: String?) async throws {
        var script = ChatCallHarness.Script()
        script.events = []
        script.completion = Router.Completion(failure: Router.Failure(kind, "no", status: 422))
        let site = try await ChatCallHarness(script)
        let error = await #expect(throws: APIError.self) { try await site.begin() }
        #expect(error?.status == status)
        #expect(error?.code == code)
        #expect(site.recorded.voids.count == 1)
        #expect(site.recorded.posts.isEmpty)
    }

    @Test func aFailureInMidStreamBillsWhatCame() async throws {
        var script = ChatCallHarness.Script()
        script.completion.usage = nil
        script.completion.failure = Router.Failure(.upstream, "dropped")
        let site = try await ChatCallHarness(script)
        let answer = try await site.begin()
        _ = await read(answer)
        #expect(answer.settlement.failure?.status == 502)
        #expect(site.recorded.posts.first?.usage.outcome == .failed)
        #expect(site.recorded.posts.first?.usage.completion == 3)
    }

    @Test func aRouterThatDiesInMidStreamBillsWhatCameThrough() async throws {
        var script = ChatCallHarness.Script()
        script.routerError = CallError(.connectionLost, "gone")
        let site = try await ChatCallHarness(script)
        let answer = try await site.begin()
        _ = await read(answer)
        #expect(answer.settlement.failure?.status == 503)
        #expect(site.recorded.posts.first?.usage.completion == 3)
        #expect(site.recorded.posts.first?.usage.isEstimated == true)
    }

    @Test func stoppingBillsWhatWasProduced() async throws {
        var script = ChatCallHarness.Script()
        script.hangs = true
        let site = try await ChatCallHarness(script)
        let answer = try await site.begin()
        _ = await answer.next()
        answer.stop()
        _ = await read(answer)
        let post = try #require(site.recorded.posts.first)
        #expect(post.usage.outcome == .cancelled)
        #expect(post.usage.completion == 3)
        #expect(answer.settlement.failure == nil)
    }

    @Test func anAnswerThatIsLetGoIsStoppedAndBilled() async throws {
        var script = ChatCallHarness.Script()
        script.hangs = true
        let site = try await ChatCallHarness(script)
        _ = try await site.begin()
        while site.recorded.posts.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        #expect(site.recorded.posts.first?.usage.completion == 3)
        #expect(site.recorded.posts.first?.usage.outcome == .cancelled)
        #expect(site.recorded.voids.isEmpty)
    }

    /// The reader's task is cancelled, as when a client leaves: the bill is delivered all the same.
    @Test func cancellationDoesNotLoseTheBill() async throws {
        let site = try await ChatCallHarness()
        let answer = try await site.begin()
        let reader = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            _ = await read(answer)
        }
        await reader.value
        #expect(site.recorded.posts.count == 1)
    }

    @Test func aClientThatLeavesWhileWaitingIsBilledItsPrompt() async throws {
        var script = ChatCallHarness.Script()
        script.hangs = true
        script.events = []
        script.completion.contentEvents = 0
        script.completion.contentBytes = 0
        let site = try await ChatCallHarness(script)
        let beginning = Task { try await site.begin() }
        while site.recorded.completions == 0 { try await Task.sleep(for: .milliseconds(1)) }
        beginning.cancel()
        _ = await read(try await beginning.value)
        let post = try #require(site.recorded.posts.first)
        #expect(post.usage.prompt == 1)
        #expect(post.usage.completion == 0)
    }

    /// As when it was sent ahead, behind another whose answer its client did not wait for.
    @Test func aRequestWhoseClientLeftBeforeItBeganCostsNothing() async throws {
        let site = try await ChatCallHarness()
        let run = site.running.enter(ChatCallHarness.requester)
        run.end(.clientLeft)
        let error = await #expect(throws: APIError.self) { try await site.begin(run) }
        #expect(error == .cancelled)
        #expect(site.recorded.completions == 0)
        #expect(site.recorded.voids == site.recorded.reserves.map(\.request))
        #expect(site.recorded.posts.isEmpty)
    }

    @Test func aPostThatTheLedgerDoesNotTakeIsKeptAndDelivered() async throws {
        var script = ChatCallHarness.Script()
        script.postError = CallError(.unavailable, "away")
        let site = try await ChatCallHarness(script)
        let answer = try await site.begin()
        _ = await read(answer)
        #expect(answer.settlement.receipt == nil)
        #expect(try await site.pending.oldest(10).map(\.request) == [answer.request])
        site.script.withLockedValue { $0.postError = nil }
        let delivery = Task { try await site.settler.run() }
        while site.recorded.posts.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        while try await !site.pending.oldest(10).isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        delivery.cancel()
        #expect(site.recorded.posts.map(\.request) == [answer.request])
    }

    @Test func aReserveWithoutAnAnswerIsVoidedBecauseItMayHaveBeenGranted() async throws {
        var script = ChatCallHarness.Script()
        script.reserveError = CallError(.deadlineExceeded, "late")
        let site = try await ChatCallHarness(script)
        let error = await #expect(throws: APIError.self) { try await site.begin() }
        #expect(error?.status == 503)
        while site.recorded.voids.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        #expect(site.recorded.voids == site.recorded.reserves.map(\.request))
    }

    @Test func theRateLimitComesBeforeMoney() async throws {
        let site = try await ChatCallHarness(limit: "1 per minute")
        _ = try await site.call.admit(ChatCallHarness.requester)
        let error = await #expect(throws: APIError.self) { try await site.call.admit(ChatCallHarness.requester) }
        #expect(error?.code == "rate_limit_exceeded")
        #expect(error?.retryAfter == 60)
        #expect(site.recorded.reserves.isEmpty)
    }

    @Test(arguments: ["none", "hidden"])
    func anUnknownOrInactiveModelIsNotReservedFor(_ model: String) async throws {
        let site = try await ChatCallHarness()
        let request = try ModelRequest(json: ByteBuffer(string: #"{"model":"\#(model)","messages":[{}]}"#))
        let error = await #expect(throws: APIError.self) {
            try await site.call.begin(request, by: ChatCallHarness.requester)
        }
        #expect(error?.code == "model_not_found")
        #expect(site.recorded.reserves.isEmpty)
    }

    /// How many events there were.
    private func read(_ answer: Answer) async -> Int {
        var count = 0
        while case let events = await answer.next(), !events.isEmpty { count += events.count }
        return count
    }
}
