import NIOCore
import SharedProtocol
import Testing

@testable import router_service

/// What a backend says, and what the caller gets of it.
@Suite(.timeLimit(.minutes(1))) struct RelayTests {
    @Test func aStreamIsRelayedVerbatimUnderThePublicName() async throws {
        let answer = try await answer { try await $0.stream([Sample.hello, Sample.end, Sample.usage, "[DONE]"]) }
        #expect(answer.events == [Sample.relayed(Sample.hello), Sample.relayed(Sample.end)])
        #expect(answer.completion.failure == nil)
        #expect(answer.completion.usage == Router.ReportedUsage(prompt: 7, completion: 3))
        #expect(answer.completion.contentEvents == 1)
        #expect(answer.completion.contentBytes == 5)
    }

    @Test func theUsageEventIsRelayedWhenAskedFor() async throws {
        let answer = try await answer(.stream(relaysUsage: true)) {
            try await $0.stream([Sample.hello, Sample.end, Sample.usage, "[DONE]"])
        }
        #expect(answer.events.last == Sample.relayed(Sample.usage))
    }

    @Test func aWholeReplyIsOneEvent() async throws {
        let answer = try await answer(.whole) { try await $0.answer("200 OK", Sample.reply) }
        #expect(answer.events == [Sample.relayed(Sample.reply)])
        #expect(answer.completion.usage == Router.ReportedUsage(prompt: 7, completion: 3))
        #expect(answer.completion.contentEvents == 1)
    }

    @Test func oneByteAtATimeIsTheSame() async throws {
        let answer = try await answer { reply in
            try await reply.beginChunks()
            for byte in Sample.stream([Sample.hello, Sample.end, "[DONE]"]).utf8 {
                try await reply.chunk(String(decoding: [byte], as: UTF8.self))
            }
            try await reply.endChunks()
        }
        #expect(answer.events == [Sample.relayed(Sample.hello), Sample.relayed(Sample.end)])
    }

    @Test func theFirstEventDoesNotWaitForTheSecond() async throws {
        let gate = Gate()
        let script: ScriptedBackend.Script = { reply in
            try await reply.beginChunks()
            try await reply.chunk(Sample.stream([Sample.hello]))
            try await gate.passed()
            try await reply.chunk(Sample.stream([Sample.end, "[DONE]"]))
            try await reply.endChunks()
        }
        try await ScriptedBackend.run(script) { backend in
            let stream = try await RouterHarness([backend.url]).open(.stream())
            let first = try await stream.next()
            #expect(first.map { String(buffer: $0) } == [Sample.relayed(Sample.hello)])
            gate.open()
            let rest = try await RouterHarness.readAll(stream)
            #expect(rest.completion.failure == nil)
        }
    }

    @Test func theBackendGetsItsOwnNameKeyAndLimit() async throws {
        try await ScriptedBackend.run({ try await $0.stream([Sample.end, "[DONE]"]) }) { backend in
            let router = try RouterHarness([backend.url], options: "output_limit_field: max_completion_tokens")
            _ = try await router.complete(.stream(limit: 9), body: #"{"messages":[],"x-unknown":1}"#)
            let seen = try #require(backend.requests.first)
            #expect(seen.line == "POST /v1/chat/completions HTTP/1.1")
            #expect(seen.header("authorization") == "Bearer key-of-0")
            #expect(seen.header("content-type") == "application/json")
            #expect(seen.body == #"{"model":"remote-0","max_completion_tokens":9,"messages":[],"x-unknown":1}"#)
        }
    }

    @Test func aStreamWithoutUsageIsCounted() async throws {
        let answer = try await answer { try await $0.stream([Sample.hello, Sample.hello, Sample.end, "[DONE]"]) }
        #expect(answer.completion.usage == nil)
        #expect(answer.completion.contentEvents == 2)
        #expect(answer.completion.contentBytes == 10)
    }

    @Test func aStreamThatSaysWhyItEndsNeedsNoDone() async throws {
        let answer = try await answer { try await $0.stream([Sample.hello, Sample.end]) }
        #expect(answer.completion.failure == nil)
        #expect(answer.events.count == 2)
    }

    @Test func connectionsServeManyStreams() async throws {
        try await ScriptedBackend.run({ try await $0.stream([Sample.hello, Sample.end, "[DONE]"]) }) { backend in
            let router = try RouterHarness([backend.url])
            for _ in 0..<10 { _ = try await router.complete() }
            // On a busy machine the next stream may begin before the end of the one before has arrived.
            #expect(backend.connections < 5)
        }
    }

    private func answer(
        _ call: Router.Complete = .stream(), from script: @escaping ScriptedBackend.Script
    ) async throws -> RouterHarness.Answer {
        try await ScriptedBackend.run(script) { try await RouterHarness([$0.url]).complete(call) }
    }
}
