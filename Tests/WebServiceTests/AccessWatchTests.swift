import NIOConcurrencyHelpers
import NIOCore
import SharedProtocol
import Testing

@testable import web_service

/// What runs ends with the account or the key that it runs under.
@Suite(.timeLimit(.minutes(1))) struct AccessWatchTests {
    private let asked = NIOLockedValueBox<[Auth.FindEnded]>([])
    private let answer = NIOLockedValueBox<Result<Auth.Ended, CallError>>(
        .success(Auth.Ended(users: [], keys: [], revision: 2)))
    private let time = NIOLockedValueBox(Timestamp(1_000))

    private func requester(_ user: Int64 = 1, key: Int64? = nil, expires: Timestamp? = nil) -> Requester {
        var requester = ChatCallHarness.requester
        requester.person.id = UserID(user)
        requester.key = key.map { KeyID($0) }
        requester.expires = expires
        requester.revision = 1
        return requester
    }

    private func watch(_ running: RunningRequests) -> AccessWatch {
        var table = CallTable()
        table.on(Auth.FindEnded.self) { [asked, answer] call, _ throws(CallError) in
            asked.withLockedValue { $0.append(call) }
            return try answer.withLockedValue { $0 }.get()
        }
        return AccessWatch(
            running: running, auth: InProcessCaller(table), clock: { [time] in time.withLockedValue { $0 } })
    }

    private func hanging() async throws -> ChatCallHarness {
        var script = ChatCallHarness.Script()
        script.hangs = true
        return try await ChatCallHarness(script)
    }

    private func read(_ answer: Answer) async -> Int {
        var count = 0
        while case let events = await answer.next(), !events.isEmpty { count += events.count }
        return count
    }

    @Test func theStreamsOfADisabledUserAndARevokedKeyEndAndAreBilled() async throws {
        let site = try await hanging()
        let requesters = [requester(7), requester(8, key: 80), requester(8, key: 81)]
        var answers: [Answer] = []
        for requester in requesters { answers.append(try await site.begin(by: requester)) }
        site.running.heard(2)
        answer.withLockedValue { $0 = .success(Auth.Ended(users: [UserID(7)], keys: [KeyID(81)], revision: 2)) }
        await watch(site.running).endRevoked()
        for answer in [answers[0], answers[2]] {
            _ = await read(answer)
            #expect(answer.settlement.outcome == .cancelled)
        }
        #expect(answers[0].settlement.failure == .accountDisabled)
        #expect(answers[2].settlement.failure == .keyEnded)
        #expect(site.recorded.posts.map(\.usage.completion) == [3, 3])
        #expect(asked.withLockedValue { $0.map { Set($0.users) } } == [[UserID(7), UserID(8)]])
        #expect(asked.withLockedValue { $0.map { Set($0.keys) } } == [[KeyID(80), KeyID(81)]])
        // The third goes on, and is not asked for again.
        #expect(site.running.unconfirmed().isEmpty)
        answers[1].stop()
        _ = await read(answers[1])
        #expect(answers[1].settlement.failure == nil)
    }

    @Test func aRequestThatWaitsForItsFirstEventEndsToo() async throws {
        let site = try await hanging()
        site.script.withLockedValue { $0.events = [] }
        let beginning = Task { try await site.begin(by: requester(7)) }
        while site.recorded.reserves.isEmpty { try await Task.sleep(for: .milliseconds(1)) }
        site.running.heard(2)
        answer.withLockedValue { $0 = .success(Auth.Ended(users: [UserID(7)], keys: [], revision: 2)) }
        await watch(site.running).endRevoked()
        do {
            let ended = try await beginning.value
            #expect(await read(ended) == 0)
            #expect(ended.settlement.failure == .accountDisabled)
        } catch {
            #expect(error as? APIError == .accountDisabled)
        }
    }

    /// It was admitted by what was known before, and begins after everybody else was looked at.
    @Test func aRequestThatBeginsLateIsLookedAtToo() async throws {
        let site = try await hanging()
        site.running.heard(2)
        answer.withLockedValue { $0 = .success(Auth.Ended(users: [UserID(7)], keys: [], revision: 2)) }
        let watching = Task { try await watch(site.running).run() }
        // Before its first event has come, or after.
        var failure: APIError?
        do throws(APIError) {
            let late = try await site.begin(by: requester(7))
            _ = await read(late)
            failure = late.settlement.failure
        } catch {
            failure = error
        }
        #expect(failure == .accountDisabled)
        watching.cancel()
        try await watching.value
    }

    @Test func aKeyThatExpiresEndsWhatRunsUnderIt() async throws {
        let site = try await hanging()
        let expiring = try await site.begin(by: requester(key: 5, expires: Timestamp(2_000)))
        site.running.endExpired(at: Timestamp(1_999))
        time.withLockedValue { $0 = Timestamp(2_000) }
        let watching = Task { try await watch(site.running).run() }
        _ = await read(expiring)
        #expect(expiring.settlement.failure == .keyEnded)
        #expect(asked.withLockedValue { $0.isEmpty })
        watching.cancel()
        try await watching.value
    }

    @Test func whatAuthDoesNotAnswerIsAskedAgain() async throws {
        let site = try await hanging()
        let running = try await site.begin(by: requester(7))
        answer.withLockedValue { $0 = .failure(CallError(.unavailable, "away")) }
        site.running.heard(2)
        let watch = watch(site.running)
        await watch.endRevoked()
        #expect(site.running.unconfirmed().count == 1)
        // An auth that is behind does not make it turn in a circle.
        answer.withLockedValue { $0 = .success(Auth.Ended(users: [], keys: [], revision: 1)) }
        await watch.endRevoked()
        #expect(site.running.unconfirmed().count == 1)
        answer.withLockedValue { $0 = .success(Auth.Ended(users: [UserID(7)], keys: [], revision: 2)) }
        await watch.endRevoked()
        _ = await read(running)
        #expect(running.settlement.failure == .accountDisabled)
        #expect(asked.withLockedValue(\.count) == 3)
    }

    @Test func whoHasEndedIsNotAskedFor() async throws {
        let site = try await ChatCallHarness()
        _ = await read(try await site.begin(by: requester(7)))
        while site.running.count > 0 { try await Task.sleep(for: .milliseconds(1)) }
        site.running.heard(2)
        await watch(site.running).endRevoked()
        #expect(asked.withLockedValue { $0.isEmpty })
    }

    @Test func aModelThatIsNotInTheKeysListIsRefused() async throws {
        let site = try await ChatCallHarness()
        var limited = requester(key: 5)
        limited.models = [ModelName("b")]
        let error = await #expect(throws: APIError.self) { try await site.begin(by: limited) }
        #expect(error?.code == "model_not_allowed")
        #expect(error?.status == 403)
        #expect(site.recorded.reserves.isEmpty)
        limited.models = [ModelName("a")]
        _ = await read(try await site.begin(by: limited))
        #expect(site.recorded.posts.count == 1)
    }
}
