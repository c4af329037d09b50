import SharedProtocol
import Storage
import StorageTesting
import Testing

@testable import web_service

@Suite(.bothEngines) struct ChatStoreTests {
    let temporary: TemporaryStore
    var store: ChatStore { temporary.store }

    init() throws { temporary = try TemporaryStore() }

    @Test func aTurnIsStoredBeforeItsAnswer() async throws {
        let turn = try await temporary.begin("  What is\n a prime?  ")
        let messages = try await store.messages(in: turn.conversation, of: .ada, before: nil)
        #expect(messages.map(\.text) == ["  What is\n a prime?  ", ""])
        #expect(messages.last?.answer?.state == .running)
        let conversation = try await store.conversation(turn.conversation, of: .ada)
        #expect(conversation.title == "What is a prime?")
        #expect(conversation.isAnswering)
    }

    @Test func whatBelongsToSomeoneElseIsNotFound() async throws {
        let turn = try await temporary.turn("Mine")
        let id = turn.conversation
        let store = store
        await expectNotFound { () async throws(CallError) in _ = try await store.conversation(id, of: .bob) }
        await expectNotFound { () async throws(CallError) in _ = try await store.answer(turn.answerID, of: .bob) }
        await expectNotFound { () async throws(CallError) in try await store.rename(id, to: "x", by: .bob) }
        await expectNotFound { () async throws(CallError) in
            try await store.remove(id, keepingRows: false, by: .bob)
        }
        let intrusion = AnswerDesk.Question(conversation: id, text: "x", model: "dummy")
        await expectNotFound { () async throws(CallError) in
            _ = try await store.beginTurn(intrusion, answer: .random(), by: .bob, at: Timestamp(5))
        }
        #expect(try await store.messages(in: id, of: .bob, before: nil).isEmpty)
        #expect(try await store.conversations(of: .bob, before: nil, search: "").isEmpty)
    }

    @Test func oneAnswerAtATimeInAConversation() async throws {
        let turn = try await temporary.begin("First")
        await #expect(throws: CallError.self) { try await temporary.begin("Second", in: turn.conversation) }
        #expect(try await store.messages(in: turn.conversation, of: .ada, before: nil).count == 2)
    }

    @Test func anAnswerEndsOnce() async throws {
        let turn = try await temporary.turn("Q", answered: "whole")
        try await store.saveProgress(of: turn.answerID, text: "late", reasoning: "")
        let again = AnswerEnd(state: .failed, text: "other", reasoning: "")
        try await store.finish(turn.answerID, again, at: Timestamp(9))
        let answer = try await store.answer(turn.answerID, of: .ada)
        #expect(answer.text == "whole")
        #expect(answer.answer?.state == .completed)
    }

    @Test func theBillComesBackAsItWasStored() async throws {
        let turn = try await temporary.begin("Q")
        let bill = AnswerBill(
            request: .random(), promptTokens: 1, completionTokens: 2, cost: 3, firstTokenMs: nil, durationMs: 4)
        let end = AnswerEnd(state: .stopped, text: "half", reasoning: "hm", problem: "p", bill: bill)
        try await store.finish(turn.answerID, end, at: Timestamp(9))
        let facts = try await store.answer(turn.answerID, of: .ada).answer
        #expect(facts?.bill == bill)
        #expect(facts?.reasoning == "hm")
        #expect(facts?.problem == "p")
    }

    @Test func abandonedAnswersAreInterruptedAndKeepTheirText() async throws {
        let turn = try await temporary.begin("Q")
        try await store.saveProgress(of: turn.answerID, text: "so far", reasoning: "")
        try await Presence(database: store.database, instance: store.writer).renew()
        #expect(try await store.answer(turn.answerID, of: .ada).answer?.state == .running)
        try await store.database.write { try $0.execute("UPDATE webs SET seen = 0") }
        // Who has been heard itself may find others dead.
        for _ in 0..<2 { try await Presence(database: store.database, instance: InstanceID("other")).renew() }
        let answer = try await store.answer(turn.answerID, of: .ada)
        #expect(answer.text == "so far")
        #expect(answer.answer?.state == .interrupted)
        #expect(try await store.conversations(of: .ada, before: nil, search: "far").count == 1)
    }

    @Test func theListIsPagedWithoutGapsOrRepeats() async throws {
        // Two conversations a millisecond, so that the page border falls between equal times.
        let total = ChatStore.conversationsPerPage + 11
        for number in 0..<total { try await temporary.turn("Topic \(number)", at: Int64(number / 2)) }
        let first = try await store.conversations(of: .ada, before: nil, search: "")
        let last = try #require(first.last)
        let cursor = ChatStore.ListCursor(updated: last.updated, id: last.id)
        let second = try await store.conversations(of: .ada, before: cursor, search: "")
        #expect(first.count == ChatStore.conversationsPerPage)
        #expect(Set((first + second).map(\.id)).count == total)
        let times = (first + second).map(\.updated)
        #expect(times == times.sorted(by: >))
    }

    @Test func messagesArePagedFromTheEnd() async throws {
        let id = try await temporary.turn("Q0", answered: "A0").conversation
        for number in 1..<4 { try await temporary.turn("Q\(number)", answered: "A\(number)", in: id) }
        let last = try await store.messages(in: id, of: .ada, before: nil, limit: 3)
        #expect(last.map(\.text) == ["A2", "Q3", "A3"])
        let earlier = try await store.messages(in: id, of: .ada, before: last.first?.id, limit: 3)
        #expect(earlier.map(\.text) == ["Q1", "A1", "Q2"])
    }

    @Test(arguments: [true, false]) func aRemovedConversationIsGoneForItsOwner(keepingRows: Bool) async throws {
        let turn = try await temporary.turn("Hush", answered: "hidden words")
        try await store.remove(turn.conversation, keepingRows: keepingRows, by: .ada)
        #expect(try await store.conversations(of: .ada, before: nil, search: "").isEmpty)
        #expect(try await store.conversations(of: .ada, before: nil, search: "hidden").isEmpty)
        #expect(try await store.messages(in: turn.conversation, of: .ada, before: nil).isEmpty)
        let rows: Int? = try await store.database.read { try $0.value("SELECT count(*) FROM messages") }
        #expect(rows == (keepingRows ? 2 : 0))
        // The index agrees with its table, or SQLite says so here.
        guard store.database.engine == .sqlite else { return }
        try await store.database.write {
            try $0.execute("INSERT INTO message_words (message_words, rank) VALUES ('integrity-check', 1)")
        }
    }

    @Test(arguments: [
        ("prim", true), ("PRIME numb", true), ("ernel", false), ("éternel", true), ("eternel", true), ("100%", true),
        ("1_0", false), ("\" OR x:", false), ("NEAR(", false), ("zebra", false),
    ])
    func searchFindsBeginningsOfWords(search: String, isFound: Bool) async throws {
        try await temporary.turn("Growth 100%", answered: "A prime number, éternel.")
        let found = try await store.conversations(of: .ada, before: nil, search: search)
        #expect(found.isEmpty != isFound)
    }

    /// Nobody is in anybody's way for good, though all write to the same tables.
    @Test func manyPeopleAskAtOnce() async throws {
        try await withThrowingTaskGroup { group in
            for number in 1...40 {
                group.addTask { [temporary] in try await temporary.turn("Hi", by: UserID(Int64(number))) }
            }
            for try await _ in group {}
        }
        let rows: Int? = try await store.database.read { try $0.value("SELECT count(*) FROM messages") }
        #expect(rows == 80)
    }

    @Test func longTitlesAreShortened() {
        let title = ChatStore.title(from: String(repeating: "é ", count: 200))
        #expect(title.count == ChatStore.maximumTitleLength)
        #expect(title.hasSuffix("…"))
    }

    private func expectNotFound(_ action: () async throws(CallError) -> Void) async {
        do throws(CallError) {
            try await action()
            Issue.record("it was found")
        } catch {
            #expect(error.code == .notFound)
        }
    }
}
