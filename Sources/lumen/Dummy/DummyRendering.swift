import NIOCore
import SharedProtocol

/// A reply as JSON in OpenAI's shape: whole, or as the events of a stream. Written by hand, because under load a tree of
/// `Codable` values per token would cost more than everything else that the echo backend does.
struct DummyRendering {
    let operation: Operation
    let id: String
    /// The members that every event, or the whole reply, begins with.
    let eventHead: String
    let wholeHead: String

    enum Operation: String { case chat, completions }

    static let done = ByteBuffer(string: "data: [DONE]\n\n")

    init(_ operation: Operation, model: String) {
        self.operation = operation
        let isChat = operation == .chat
        let id = (isChat ? "chatcmpl-" : "cmpl-") + RandomText.base32(16)
        let rest = #","created":\#(Timestamp.now().rawValue / 1000),"model":\#(Self.json(model))"#
        // `/completions` calls its events what it calls its replies.
        eventHead = #""id":"\#(id)","object":"\#(isChat ? "chat.completion.chunk" : "text_completion")""# + rest
        wholeHead = #""id":"\#(id)","object":"\#(isChat ? "chat.completion" : "text_completion")""# + rest
        self.id = id
    }
}

// MARK: Events

extension DummyRendering {
    /// The first event of a chat's choice, which names who speaks.
    func role(choice: Int) -> ByteBuffer {
        event(choice: choice, delta: #"{"role":"assistant","content":""}"#, finish: "null")
    }

    func token(_ token: DummyReply.Token, choice: Int) -> ByteBuffer {
        let text = Self.json(token.text)
        switch token.kind {
        case .text: return event(choice: choice, delta: #"{"content":\#(text)}"#, text: text, finish: "null")
        case .reasoning: return event(choice: choice, delta: #"{"reasoning_content":\#(text)}"#, finish: "null")
        case .toolArguments:
            let call = #"{"tool_calls":[{"index":0,"function":{"arguments":\#(text)}}]}"#
            return event(choice: choice, delta: call, finish: "null")
        }
    }

    /// Opens the tool call whose arguments follow.
    func toolCall(_ name: String, choice: Int) -> ByteBuffer {
        let function = #"{"name":\#(Self.json(name)),"arguments":""}"#
        let call = #"{"tool_calls":[{"index":0,"id":"\#(callID)","type":"function","function":\#(function)}]}"#
        return event(choice: choice, delta: call, finish: "null")
    }

    func finish(_ reason: DummyReply.FinishReason, choice: Int) -> ByteBuffer {
        event(choice: choice, delta: "{}", finish: "\"\(reason.rawValue)\"")
    }

    /// The event that only reports usage.
    func usage(_ usage: DummyReply.Usage) -> ByteBuffer {
        ByteBuffer(string: "data: {\(eventHead),\"choices\":[],\"usage\":\(Self.json(usage))}\n\n")
    }

    /// The start of an event whose end never comes, yet closed as an event.
    var brokenEvent: ByteBuffer { ByteBuffer(string: "data: {\(eventHead),\"choices\":[{\"index\":\n\n") }

    /// - Parameter text: in place of the delta, which `/completions` does not have.
    private func event(choice: Int, delta: String, text: String = "\"\"", finish: String) -> ByteBuffer {
        let content = operation == .chat ? #""delta":\#(delta)"# : #""text":\#(text),"logprobs":null"#
        return ByteBuffer(
            string: """
                data: {\(eventHead),"choices":[{"index":\(choice),\(content),"finish_reason":\(finish)}]}\n\n
                """)
    }
}

// MARK: Whole replies

extension DummyRendering {
    func whole(_ reply: DummyReply) -> ByteBuffer {
        let choices = reply.choices.enumerated().map { choice($1, index: $0) }.joined(separator: ",")
        let usage = reply.usage.map { ",\"usage\":\(Self.json($0))" } ?? ""
        return ByteBuffer(string: "{\(wholeHead),\"choices\":[\(choices)]\(usage)}")
    }

    private func choice(_ choice: DummyReply.Choice, index: Int) -> String {
        let text = Self.json(choice.text(of: .text))
        let content = operation == .chat ? #""message":\#(message(choice, text: text))"# : #""text":\#(text)"#
        return """
            {"index":\(index),\(content),"logprobs":null,"finish_reason":"\(choice.finishReason.rawValue)"}
            """
    }

    private func message(_ choice: DummyReply.Choice, text: String) -> String {
        if let toolName = choice.toolName {
            let arguments = Self.json(choice.text(of: .toolArguments))
            let function = #"{"name":\#(Self.json(toolName)),"arguments":\#(arguments)}"#
            return """
                {"role":"assistant","content":null,"refusal":null,"tool_calls":[{"id":"\(callID)","type":"function",\
                "function":\(function)}]}
                """
        }
        let reasoning = choice.text(of: .reasoning)
        let member = reasoning.isEmpty ? "" : #","reasoning_content":\#(Self.json(reasoning))"#
        return #"{"role":"assistant","content":\#(text),"refusal":null\#(member)}"#
    }
}

extension DummyReply.Choice {
    /// The tokens of one kind, joined.
    fileprivate func text(of kind: DummyReply.Token.Kind) -> String {
        tokens.lazy.filter { $0.kind == kind }.map { String($0.text) }.joined()
    }
}

extension DummyRendering {
    private var callID: String { "call_" + id.suffix(16) }

    private static func json(_ usage: DummyReply.Usage) -> String {
        """
        {"prompt_tokens":\(usage.prompt),"completion_tokens":\(usage.completion),\
        "total_tokens":\(usage.prompt + usage.completion),\
        "completion_tokens_details":{"reasoning_tokens":\(usage.reasoning)}}
        """
    }

    /// The text as a JSON string.
    static func json(_ text: some StringProtocol) -> String { String(buffer: ByteBuffer(quoting: String(text))) }
}
