import Logging
import NIOConcurrencyHelpers
import NIOCore
import SharedProtocol
import StorageTesting
import Testing

@testable import web_service

@Suite(.bothEngines) struct AnswerDeskTests {
    let temporary: TemporaryStore
    let source = ScriptedSource()
    let desk: AnswerDesk

    init() throws {
        temporary = try TemporaryStore()
        let source = source
        desk = AnswerDesk(
            store: temporary.store, begin: { _, _ throws(AnswerRefusal) in source }, drain: { .zero },
            logger: Logger(label: "test"))
    }

    @Test func aFollowerThatComesLateReadsEverything() async throws {
        let live = try await ask()
        source.say("Hello, ")
        await live.waitForNews(after: .start)
        source.say("wörld")
        source.end()
        let (text, end) = await follow(live, from: .start)
        #expect(text == "Hello, wörld")
        #expect(end.state == .completed)
        #expect(end.bill?.completionTokens == 5)
    }

    @Test func aFollowerGoesOnWhereItWas() async throws {
        let live = try await ask()
        source.say("öne ")
        await live.waitForNews(after: .start)
        let cursor = live.news(after: .start).cursor
        source.say("twö")
        source.end()
        #expect(await follow(live, from: cursor).text == "twö")
    }

    @Test func theStoreKnowsTheEndBeforeTheFollower() async throws {
        let live = try await ask()
        source.say("done")
        source.end()
        _ = await follow(live, from: .start)
        let stored = try await temporary.store.answer(live.id, of: .ada)
        #expect(stored.text == "done")
        #expect(stored.answer?.state == .completed)
    }

    @Test func stopReachesTheSource() async throws {
        let live = try await ask()
        source.say("half")
        await live.waitForNews(after: .start)
        live.stop()
        let (text, end) = await follow(live, from: .start)
        #expect(source.isStopped)
        #expect(text == "half")
        #expect(end.state == .stopped)
    }

    @Test func stopBeforeTheSourceIsThereReachesIt() {
        let live = LiveAnswer(id: .random(), owner: .ada)
        live.stop()
        live.attach(source)
        #expect(source.isStopped)
    }

    @Test func aFollowerThatLeavesDoesNotEndTheAnswer() async throws {
        let live = try await ask()
        let follower = Task { await live.waitForNews(after: .start) }
        follower.cancel()
        await follower.value
        source.say("still here")
        source.end()
        #expect(await follow(live, from: .start).text == "still here")
        #expect(!source.isStopped)
    }

    @Test func aRefusedTurnStaysWithItsReason() async throws {
        let desk = AnswerDesk(
            store: temporary.store,
            begin: { _, _ throws(AnswerRefusal) in throw AnswerRefusal(message: "No tokens left.") }, drain: { .zero },
            logger: Logger(label: "test"))
        let turn = try await desk.ask(question(), by: .ada)
        while desk.live(turn.answerID, of: .ada) != nil { await Task.yield() }
        let messages = try await temporary.store.messages(in: turn.conversation, of: .ada, before: nil)
        #expect(messages.map(\.text) == ["Hi", ""])
        #expect(messages.last?.answer?.state == .failed)
        #expect(messages.last?.answer?.problem == "No tokens left.")
    }

    @Test func onePersonHasFewAnswersAtOnce() async throws {
        for _ in 0..<AnswerDesk.maximumAnswersPerUser { _ = try await ask() }
        do {
            _ = try await desk.ask(question(), by: .ada)
            Issue.record("one too many was begun")
        } catch {
            #expect(error.code == .busy)
        }
        // What was refused has left nothing behind.
        let kept = try await temporary.store.conversations(of: .ada, before: nil, search: "")
        #expect(kept.count == AnswerDesk.maximumAnswersPerUser)
        source.end()
    }

    @Test func onlyTheOwnerFindsALiveAnswer() async throws {
        let live = try await ask()
        #expect(desk.live(live.id, of: .bob) == nil)
        source.end()
        _ = await follow(live, from: .start)
    }

    @Test func anEndlessAnswerIsEnded() async throws {
        let live = try await ask()
        let part = String(repeating: "x", count: LiveAnswer.maximumBytes / 2)
        for _ in 0..<3 { source.say(part) }
        let (text, end) = await follow(live, from: .start)
        #expect(source.isStopped)
        #expect(text.utf8.count <= LiveAnswer.maximumBytes)
        #expect(end.state == .failed)
    }

    @Test func aStoppedProcessStoresWhatWasWritten() async throws {
        let desk = desk
        let live = try await ask()
        source.say("half")
        await live.waitForNews(after: .start)
        let running = Task { try await desk.run() }
        running.cancel()
        try await running.value
        let stored = try await temporary.store.answer(live.id, of: .ada)
        #expect(stored.text == "half")
        #expect(stored.answer?.state == .stopped)
        #expect(desk.live(live.id, of: .ada) == nil)
    }

    private func question() -> AnswerDesk.Question { AnswerDesk.Question(text: "Hi", model: "dummy") }

    private func ask() async throws -> LiveAnswer {
        let turn = try await desk.ask(question(), by: .ada)
        return try #require(desk.live(turn.answerID, of: .ada))
    }

    private func follow(_ live: LiveAnswer, from start: AnswerCursor) async -> (text: String, end: AnswerEnd) {
        var text = ""
        var cursor = start
        while true {
            let news = live.news(after: cursor)
            text += news.text
            cursor = news.cursor
            if let end = news.end { return (text, end) }
            await live.waitForNews(after: cursor)
        }
    }
}
