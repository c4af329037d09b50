import Testing

@testable import lumen

@Test func dummyQuotesTheLastMessageAndShowsFormulas() async throws {
    try await DummyFixture.with { dummy in
        let reply = try await dummy.chat("dummy", message: #"one\ntwo"#)
        let text = try #require(reply.choices.first?.message.content)
        #expect(text.hasPrefix("> one\n> two\n\n"))
        #expect(text.contains(#"\(e^{i\pi} + 1 = 0\)"#))
        #expect(text.contains("\n\n$$"))
        #expect(reply.usage?.prompt_tokens == 2)
        #expect(reply.usage?.completion_tokens == Words.pieces(of: text).count)
        #expect(reply.choices.first?.finish_reason == "stop")
    }
}

@Test func aStreamIsOneEventPerTokenAndTheSameText() async throws {
    try await DummyFixture.with { dummy in
        let whole = try await dummy.chat("dummy")
        let lines = try await dummy.events("dummy", #","stream_options":{"include_usage":true}"#)
        #expect(lines.last == "[DONE]")
        let events = try lines.dropLast().map { try ChatEvent($0) }
        #expect(events.first?.choices.first?.delta.role == "assistant")
        let tokens = events.dropFirst().compactMap { $0.choices.first?.delta.content }
        #expect(tokens.joined() == whole.choices.first?.message.content)
        #expect(events.last?.choices.isEmpty == true)
        #expect(events.last?.usage?.completion_tokens == tokens.count)
    }
}

@Test func aStreamReportsUsageOnlyWhenAsked() async throws {
    try await DummyFixture.with { dummy in
        let events = try await dummy.events("dummy").dropLast().map { try ChatEvent($0) }
        #expect(events.allSatisfy { $0.usage == nil && !$0.choices.isEmpty })
    }
}

@Test func theOutputLimitCutsTheReply() async throws {
    try await DummyFixture.with { dummy in
        for field in ["max_tokens", "max_completion_tokens"] {
            let reply = try await dummy.chat("dummy", #","\#(field)":3,"n":2"#)
            #expect(reply.choices.map(\.finish_reason) == ["length", "length"])
            #expect(reply.usage?.completion_tokens == 6)
        }
        let refused = try await dummy.response(DummyFixture.chatBody("dummy", #","max_tokens":0"#))
        #expect(refused.hasPrefix("HTTP/1.1 400"))
    }
}

@Test func exactReportsWhatLumenReserves() async throws {
    try await DummyFixture.with { dummy in
        // [{"role":"user","content":"ab"}] is 32 bytes, and one message adds 8.
        let exact = try await dummy.chat("exact", #","max_tokens":7,"n":2"#, message: "ab")
        #expect(exact.usage?.prompt_tokens == 40)
        #expect(exact.usage?.completion_tokens == 14)
        let greedy = try await dummy.chat("greedy-3", #","max_tokens":7,"temperature":0.5"#, message: "ab")
        #expect(greedy.usage?.prompt_tokens == 120)
        #expect(greedy.usage?.completion_tokens == 21)
    }
}

@Test func tokensAreAsManyAsAskedFor() async throws {
    try await DummyFixture.with { dummy in
        let events = try await dummy.events("tokens-250-at-0").dropLast().map { try ChatEvent($0) }
        #expect(events.filter { $0.choices.first?.delta.content?.isEmpty == false }.count == 250)
    }
}

@Test func reasoningComesBeforeTheAnswer() async throws {
    try await DummyFixture.with { dummy in
        let whole = try await dummy.chat("reasoning")
        #expect(whole.choices.first?.message.reasoning_content?.isEmpty == false)
        let deltas = try await dummy.events("reasoning").dropLast().map { try ChatEvent($0) }.dropFirst()
            .compactMap { $0.choices.first?.delta }
        let firstText = try #require(deltas.firstIndex { $0.content != nil })
        let lastReasoning = try #require(deltas.lastIndex { $0.reasoning_content != nil })
        #expect(lastReasoning < firstText)
    }
}

@Test func toolsCallsTheFirstTool() async throws {
    try await DummyFixture.with { dummy in
        let tools = #","tools":[{"type":"function","function":{"name":"look"}},{"function":{"name":"other"}}]"#
        let reply = try await dummy.chat("tools", tools, message: "up")
        let call = try #require(reply.choices.first?.message.tool_calls?.first)
        #expect(call.function.name == "look")
        #expect(call.function.arguments == #"{"text": "up"}"#)
        #expect(reply.choices.first?.finish_reason == "tool_calls")
        let events = try await dummy.events("tools", tools)
        #expect(events.contains { $0.contains(#""name":"look""#) })
    }
}

@Test func completionsAnswerEachPrompt() async throws {
    try await DummyFixture.with { dummy in
        let body = #"{"model":"dummy","prompt":["a b","c"],"n":2,"max_tokens":2}"#
        let text = try await dummy.response(body, to: "/v1/completions")
        for choice in [#""index":1,"text":"> a ""#, #""index":3,"text":"> c\n\n""#] { #expect(text.contains(choice)) }
        #expect(text.contains(#""prompt_tokens":3,"completion_tokens":8"#))
    }
}

@Test func embeddingsAreOneVectorPerInput() async throws {
    try await DummyFixture.with { dummy in
        let text = try await dummy.response(#"{"model":"dummy","input":["a b","c"]}"#, to: "/v1/embeddings")
        #expect(text.contains(#""index":1,"embedding":["#))
        #expect(text.contains(#""prompt_tokens":3"#))
    }
}
