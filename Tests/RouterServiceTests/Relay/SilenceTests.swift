import HTTPClient
import NIOCore
import SharedProtocol
import Testing

@testable import router_service

/// Requests that wait for their first byte while their endpoint is found to be out.
@Suite(.timeLimit(.minutes(1))) struct SilenceTests {
    private static let good: ScriptedBackend.Script = { try await $0.stream([Sample.hello, Sample.end, "[DONE]"]) }

    @Test func theyMoveOnWhenTheEndpointGoesOut() async throws {
        try await ScriptedBackend.run({ try await $0.closed() }) { silent in
            try await ScriptedBackend.run(Self.good) { good in
                let router = try RouterHarness([silent.url, good.url])
                let answer = Task { try await router.complete() }
                try await eventually("it waits") { silent.requests.count == 1 }
                router.directory.all[0].record.goOut()
                let completion = try await answer.value.completion
                #expect(completion.failure == nil)
                #expect(completion.endpoint == good.url)
                try await eventually("the silent one is let go") { silent.closedConnections == 1 }
                #expect(router.directory.report.map(\.inFlight) == [0, 0])
            }
        }
    }

    @Test func theyStayWhenThereIsNowhereToGo() async throws {
        let gate = Gate()
        let late: ScriptedBackend.Script = { reply in
            try await gate.passed()
            try await Self.good(reply)
        }
        try await ScriptedBackend.run(late) { backend in
            let router = try RouterHarness([backend.url])
            let answer = Task { try await router.complete() }
            try await eventually("it waits") { backend.requests.count == 1 }
            router.directory.all[0].record.goOut()
            gate.open()
            #expect(try await answer.value.completion.failure == nil)
            #expect(backend.requests.count == 1)
        }
    }

    @Test func aStreamThatHasBegunStays() async throws {
        let gate = Gate()
        let slow: ScriptedBackend.Script = { reply in
            try await reply.beginChunks()
            try await reply.chunk(Sample.stream([Sample.hello]))
            try await gate.passed()
            try await reply.chunk(Sample.stream([Sample.end, "[DONE]"]))
            try await reply.endChunks()
        }
        try await ScriptedBackend.run(slow) { slow in
            let router = try RouterHarness([slow.url, "http://127.0.0.1:1/v1"])
            let stream = try await router.open(.stream())
            let first = try await stream.next()
            router.directory.all[0].record.goOut()
            gate.open()
            let rest = try await RouterHarness.readAll(stream)
            #expect(rest.completion.failure == nil)
            #expect(first.count + rest.events.count == 2)
        }
    }

    @Test func aLongSilenceHasTheEndpointProbedOnce() throws {
        let client = try HTTPClient()
        let start = NIODeadline.now()
        let record = EndpointRecord()
        #expect(record.beginProbe(at: start))
        _ = record.probed(.good(""), at: start)
        let request = HTTPRequest(
            url: "http://127.0.0.1:1",
            timeouts: HTTPTimeouts(connect: .zero, firstByte: .zero, idle: .zero, total: .zero))
        record.waits(SilentRequest(try client.begin(request), since: start, mayMove: { false }))
        #expect(!record.beginProbe(at: start + .milliseconds(4900)))
        #expect(record.beginProbe(at: start + .seconds(5)))
        _ = record.probed(.good(""), at: start + .seconds(5))
        #expect(!record.beginProbe(at: start + .seconds(10)))
    }
}
