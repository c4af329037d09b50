import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import SharedProtocol
@testable import router_service

/// The caller sets the pace, and its leaving is seen at the backend.
@Suite(.timeLimit(.minutes(1))) struct CallerPaceTests {
    @Test func cancellingClosesTheBackendsConnectionAndTellsTheCounts() async throws {
        let script: ScriptedBackend.Script = { reply in
            try await reply.beginChunks()
            try await reply.chunk(Sample.stream([Sample.hello, Sample.hello]))
            try await reply.closed()
        }
        try await ScriptedBackend.run(script) { backend in
            let stream = try await RouterHarness([backend.url]).open(.stream())
            var events = 0
            while events < 2 { events += try await stream.next().count }
            stream.cancel()
            let rest = try await RouterHarness.readAll(stream)
            #expect(rest.completion.isCancelled)
            #expect(rest.completion.failure == nil)
            #expect(rest.completion.contentEvents == 2)
            #expect(rest.completion.contentBytes == 10)
            try await eventually("the backend sees it close") { backend.closedConnections == 1 }
        }
    }

    @Test func cancellingStopsAFlood() async throws {
        let script: ScriptedBackend.Script = { reply in
            try await reply.beginChunks()
            try await reply.chunk(Sample.stream(Array(repeating: Sample.hello, count: 10_000)))
            try await reply.closed()
        }
        try await ScriptedBackend.run(script) { backend in
            let router = try RouterHarness([backend.url])
            let completions = Completions(router.directory, router.client, router.drain) { .seconds(60) }
            let relayed = NIOLockedValueBox(0)
            // As slow as can be, and as the wire's it does not mind that its task is cancelled.
            let sink = EventSink { _ async throws(CallError) in
                relayed.withLockedValue { $0 += 1 }
                try? await Task.sleep(for: .seconds(60))
            }
            let context = CallContext(request: nil, deadline: .now() + .seconds(60), peer: .random())
            let body = CallBody(ByteBuffer(string: "{}"))
            let call = Task { try await completions.complete(.stream(), body, context, sink) }
            try await eventually("the first event is relayed") { relayed.withLockedValue { $0 } == 1 }
            // Meanwhile thousands come to wait behind it.
            try await Task.sleep(for: .milliseconds(200))
            call.cancel()
            #expect(try await call.value.isCancelled)
            #expect(relayed.withLockedValue { $0 } == 1)
        }
    }

    @Test func cancellingBeforeTheFirstByteIsNoFailureOfTheEndpoint() async throws {
        let script: ScriptedBackend.Script = { reply in
            try await reply.closed()
        }
        try await ScriptedBackend.run(script) { backend in
            let router = try RouterHarness([backend.url])
            let stream = try await router.open(.whole)
            try await eventually("the request is there") { backend.requests.count == 1 }
            stream.cancel()
            let completion = try await RouterHarness.readAll(stream).completion
            #expect(completion.isCancelled)
            #expect(completion.contentEvents == 0)
            try await eventually("the backend sees it close") { backend.closedConnections == 1 }
            #expect(backend.requests.count == 1)
            let report = try await router.caller.call(Router.Endpoints(), request: nil, timeout: .seconds(5))
            #expect(report.map(\.isHealthy) == [true])
            #expect(report.map(\.inFlight) == [0])
        }
    }

    @Test func aSlowCallerStopsTheBackend() async throws {
        let written = NIOLockedValueBox(0)
        let text = String(repeating: "x", count: 64 << 10)
        let event = #"{"choices":[{"delta":{"content":"\#(text)"}}]}"#
        let count = 1024
        let script: ScriptedBackend.Script = { reply in
            try await reply.beginChunks()
            for _ in 0..<count {
                try await reply.chunk(Sample.stream([event]))
                written.withLockedValue { $0 += 1 }
            }
            try await reply.chunk(Sample.stream([Sample.end, "[DONE]"]))
            try await reply.endChunks()
        }
        try await ScriptedBackend.run(script) { backend in
            let stream = try await RouterHarness([backend.url], options: "idle_timeout: 1").open(.stream())
            _ = try await stream.next()
            try await Task.sleep(for: .milliseconds(1800))
            #expect(written.withLockedValue { $0 } < count)
            let rest = try await RouterHarness.readAll(stream)
            #expect(rest.completion.failure == nil)
            #expect(rest.completion.contentEvents == count)
        }
    }
}
