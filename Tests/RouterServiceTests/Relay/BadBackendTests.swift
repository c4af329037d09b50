import NIOCore
import SharedProtocol
import Testing

@testable import router_service

/// Backends that lie, break off or flood: the caller gets what came before, and one general sentence.
@Suite(.timeLimit(.minutes(1))) struct BadBackendTests {
    @Test(arguments: [
        #"{"choices":[}"#, "nonsense", "[1]", #"{"error":{"message":"at http://10.0.0.1/v1"}}"#,
    ])
    func aBadEventEndsTheStream(event: String) async throws {
        let answer = try await answer { try await $0.stream([Sample.hello, event, Sample.end, "[DONE]"]) }
        #expect(answer.events == [Sample.relayed(Sample.hello)])
        #expect(answer.completion.failure == .upstream)
        #expect(answer.completion.contentEvents == 1)
    }

    @Test func invalidUTF8EndsTheStream() async throws {
        let answer = try await answer { reply in
            try await reply.beginChunks()
            let event = Array("data: {\"a\":\"".utf8) + [0xFF] + Array("\"}\n\n".utf8)
            try await reply.write("\(String(event.count, radix: 16))\r\n")
            try await reply.write(ByteBuffer(bytes: event))
            try await reply.write("\r\n0\r\n\r\n")
        }
        #expect(answer.completion.failure == .upstream)
    }

    @Test func aDroppedConnectionEndsTheStream() async throws {
        let answer = try await answer { reply in
            try await reply.beginChunks()
            try await reply.chunk(Sample.stream([Sample.hello]))
            try await reply.drop()
        }
        #expect(answer.events.count == 1)
        #expect(answer.completion.failure == .upstream)
        #expect(answer.completion.contentBytes == 5)
    }

    @Test func aStreamThatJustStopsIsBroken() async throws {
        let answer = try await answer { try await $0.stream([Sample.hello]) }
        #expect(answer.completion.failure == .upstream)
    }

    @Test func anEmptyStreamIsNoAnswer() async throws {
        let answer = try await answer { try await $0.stream(["[DONE]"]) }
        #expect(answer.completion.failure == .upstream)
    }

    @Test func aStallIsATimeout() async throws {
        let script: ScriptedBackend.Script = { reply in
            try await reply.beginChunks()
            try await reply.chunk(Sample.stream([Sample.hello]))
            try await reply.closed()
        }
        try await ScriptedBackend.run(script) { backend in
            let answer = try await RouterHarness([backend.url], options: "idle_timeout: 0.2").complete()
            #expect(answer.events.count == 1)
            #expect(answer.completion.failure == .timeout)
        }
    }

    @Test func theTotalTimeIsBounded() async throws {
        try await ScriptedBackend.run({ try await $0.closed() }) { backend in
            let answer = try await RouterHarness([backend.url, backend.url], total: .milliseconds(200)).complete()
            #expect(answer.completion.failure == .timeout)
            #expect(backend.requests.count == 1)
        }
    }

    @Test(arguments: [
        ("text/html", true), ("application/json", true), ("text/event-stream", false), ("text/html", false),
    ])
    func theWrongContentTypeIsRefused(type: String, isStream: Bool) async throws {
        let answer = try await answer(isStream ? .stream() : .whole) {
            try await $0.answer("200 OK", type: type, Sample.reply)
        }
        #expect(answer.events.isEmpty)
        #expect(answer.completion.failure == .upstream)
    }

    @Test func aMissingContentTypeIsForgiven() async throws {
        let answer = try await answer(.whole) { try await $0.answer("200 OK", type: nil, Sample.reply) }
        #expect(answer.completion.failure == nil)
    }

    @Test func anEventOverTheLimitEndsTheStream() async throws {
        let answer = try await answer { reply in
            try await reply.beginChunks()
            try await reply.chunk("data: {\"a\":\"")
            let piece = String(repeating: "x", count: 1 << 20)
            for _ in 0..<17 { try await reply.chunk(piece) }
        }
        #expect(answer.completion.failure == .upstream)
    }

    @Test func aBigEventIsRelayed() async throws {
        let text = String(repeating: "x", count: 10 << 20)
        let event = #"{"choices":[{"delta":{"content":"\#(text)"},"finish_reason":"stop"}]}"#
        let answer = try await answer { try await $0.stream([event, "[DONE]"]) }
        #expect(answer.events == [event])
        #expect(answer.completion.contentBytes == 10 << 20)
    }

    @Test func aReplyOverTheLimitIsRefused() async throws {
        let answer = try await answer(.whole) { reply in
            let text = String(repeating: "x", count: Attempt.replyLimit)
            try await reply.answer("200 OK", #"{"a":"\#(text)"}"#)
        }
        #expect(answer.completion.failure == .upstream)
        #expect(answer.events.isEmpty)
    }

    @Test(arguments: [
        ("500 X", Router.Failure.upstream), ("503 X", .upstream), ("401 X", .upstream), ("403 X", .upstream),
        ("404 X", .upstream), ("405 X", .upstream), ("407 X", .upstream), ("302 X", .upstream),
    ])
    func statusesThatAreNotTheClientsBusiness(status: String, failure: Router.Failure) async throws {
        let answer = try await answer { try await $0.answer(status, #"{"error":{"message":"secret words"}}"#) }
        #expect(answer.completion.failure == failure)
    }

    @Test(arguments: [400, 413, 415, 422])
    func aRefusalIsPassedOnWithoutAddressAndKey(status: Int) async throws {
        try await ScriptedBackend.run({ reply in
            let host = reply.request.header("host") ?? ""
            let words = "too long for http://\(host)/v1 at \(host), key key-of-0"
            try await reply.answer(
                "\(status) X", #"{"error":{"message":"\#(words)","type":"t","code":"c","param":"p"}}"#)
        }) { backend in
            let failure = try await RouterHarness([backend.url]).complete().completion.failure
            let expected = Router.Failure(
                .rejected, "too long for (backend) at (backend), key (backend)", status: status, code: "c", type: "t",
                param: "p")
            #expect(failure == expected)
        }
    }

    /// Some begin the stream before they look at the request.
    @Test(arguments: [
        (#"{"error":{"object":"error","message":"too long","type":"BadRequestError","param":null,"code":400}}"#, 400),
        (#"{"error":{"message":"too long","code":"422"}}"#, 422),
        (#"{"error":{"message":"too long","type":"invalid_request_error","code":null}}"#, 400),
    ])
    func aRefusalMayComeAsAnEvent(event: String, status: Int) async throws {
        try await ScriptedBackend.run({ try await $0.stream([event, "[DONE]"]) }) { backend in
            let router = try RouterHarness([backend.url, backend.url])
            // Whoever asks in vain three times over must not take the model from everybody.
            for _ in 0..<6 {
                let failure = try await router.complete().completion.failure
                #expect(failure?.kind == .rejected)
                #expect(failure?.status == status)
                #expect(failure?.message == "too long")
            }
            #expect(backend.requests.count == 6)
            #expect(router.directory.report.map(\.isHealthy) == [true, true])
        }
    }

    private func answer(
        _ call: Router.Complete = .stream(), from script: @escaping ScriptedBackend.Script
    ) async throws -> RouterHarness.Answer {
        try await ScriptedBackend.run(script) { try await RouterHarness([$0.url]).complete(call) }
    }
}
