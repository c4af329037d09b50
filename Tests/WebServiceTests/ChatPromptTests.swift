import NIOCore
import SharedProtocol
import Testing

@testable import web_service

@Suite struct ChatPromptTests {
    @Test func theHistoryIsSentInOrder() {
        let prompt = ChatPrompt(model: "m", history: [question("1"), answer("one"), question("2"), answer("")])
        #expect(prompt.messages.map(\.content) == ["1", "one", "2"])
        #expect(prompt.messages.map(\.role) == [.user, .assistant, .user])
    }

    @Test func aTurnWithoutAWordIsLeftOut() {
        let prompt = ChatPrompt(model: "m", history: [question("lost"), answer(""), question("again"), answer("")])
        #expect(prompt.messages.map(\.content) == ["again"])
    }

    @Test func anOverlongHistoryLosesItsBeginning() {
        let long = String(repeating: "x", count: ChatPrompt.maximumHistoryBytes - 10)
        let prompt = ChatPrompt(model: "m", history: [question("old"), answer(long), question("0123456789ab")])
        #expect(prompt.messages.map(\.content) == ["0123456789ab"])
        let alone = ChatPrompt(model: "m", history: [question(long + long)])
        #expect(alone.messages.count == 1)
    }

    @Test(arguments: [
        (#"{"choices":[{"delta":{"content":"a\"b"}}]}"#, "a\"b", ""),
        (#"{"choices":[{"delta":{"content":null,"reasoning_content":"r"}}]}"#, "", "r"),
        (#"{"choices":[{"index":0,"delta":{"reasoning":"r"}}]}"#, "", "r"),
        (#"{"choices":[{"index":1,"delta":{"content":"other"}}]}"#, "", ""),
        (#"{"choices":[],"usage":{}}"#, "", ""), (#"{"choices":null}"#, "", ""),
        (#"{"choices":[{"delta":null}]}"#, "", ""),
        (#"{"choices":"x"}"#, "", ""), ("[]", "", ""),
    ])
    func anEventMayLackAnything(event: String, text: String, reasoning: String) {
        let delta = AnswerDelta(event: ByteBuffer(string: event))
        #expect(delta.text == text)
        #expect(delta.reasoning == reasoning)
    }

    @Test(arguments: ["", "1", "1-", "-1-2", "1-2-3", "a-b", "1--2"]) func onlyACursorIsACursor(text: String) {
        #expect(AnswerCursor(text) == nil)
        #expect(AnswerCursor("12-3")?.description == "12-3")
    }

    private func question(_ text: String) -> Message {
        Message(id: 1, role: .user, text: text, created: Timestamp(1), answer: nil)
    }

    private func answer(_ text: String) -> Message {
        let facts = AnswerFacts(id: .random(), model: "m", state: .completed, reasoning: "")
        return Message(id: 2, role: .assistant, text: text, created: Timestamp(1), answer: facts)
    }
}
