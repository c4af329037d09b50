import NIOCore
import SharedProtocol
import Testing

@testable import router_service

/// Before the first byte has reached the caller another endpoint may do better; after it none may.
@Suite(.timeLimit(.minutes(1))) struct FailoverTests {
    private static let good: ScriptedBackend.Script = { try await $0.stream([Sample.hello, Sample.end, "[DONE]"]) }

    /// Ways to fail before the first byte.
    enum Fault: CaseIterable, Sendable {
        case status500, status429, drop, silence, garbage, wrongType, errorEvent

        var script: ScriptedBackend.Script {
            switch self {
            case .status500: { try await $0.answer("500 X", "{}") }
            case .status429: { try await $0.answer("429 X", "{}") }
            case .drop: { try await $0.drop() }
            case .silence: { try await $0.closed() }
            case .garbage: { try await $0.stream(["nonsense"]) }
            case .wrongType: { try await $0.answer("200 OK", type: "text/html", "<p>") }
            case .errorEvent: { try await $0.stream([#"{"error":{"message":"x"}}"#]) }
            }
        }
    }

    @Test(arguments: Fault.allCases)
    func theNextEndpointAnswers(fault: Fault) async throws {
        try await ScriptedBackend.run(fault.script) { bad in
            try await ScriptedBackend.run(Self.good) { good in
                // Only silence is known by its length; a busy machine must not turn the others into it.
                let patience = fault == .silence ? 2 : 30
                let router = try RouterHarness([bad.url, good.url], options: "first_byte_timeout: \(patience)")
                // Round robin: of two requests one begins at the bad one.
                for _ in 0..<2 {
                    let answer = try await router.complete()
                    #expect(answer.completion.failure == nil)
                    #expect(answer.completion.endpoint == good.url)
                    #expect(answer.events.count == 2)
                }
                #expect(bad.requests.count == 1)
            }
        }
    }

    @Test func anEndpointThatRefusesConnectionsIsPassedOver() async throws {
        let dead = try await ScriptedBackend.run({ _ in }, during: { $0.url })
        try await ScriptedBackend.run(Self.good) { good in
            let router = try RouterHarness([dead, good.url])
            for _ in 0..<4 {
                let failure = try await router.complete().completion.failure
                #expect(failure == nil)
            }
        }
    }

    @Test func atMostThreeEndpointsAreTried() async throws {
        try await ScriptedBackend.run({ try await $0.answer("500 X", "{}") }) { bad in
            let router = try RouterHarness([bad.url, bad.url, bad.url, bad.url, bad.url])
            let failure = try await router.complete().completion.failure
            #expect(failure == .upstream)
            #expect(Set(bad.requests.compactMap { $0.header("authorization") }).count == 3)
            #expect(bad.requests.count == 3)
        }
    }

    @Test(arguments: ["400 X", "401 X", "403 X", "404 X", "422 X"])
    func aClientsErrorIsNotTriedElsewhere(status: String) async throws {
        try await ScriptedBackend.run({ try await $0.answer(status, "{}") }) { backend in
            _ = try await RouterHarness([backend.url, backend.url]).complete()
            #expect(backend.requests.count == 1)
        }
    }

    /// And whether a good probe then is enough to have it back.
    @Test(arguments: [
        (Fault.status500, false), (.garbage, false), (.wrongType, false), (.errorEvent, false), (.drop, true),
        (.silence, true),
    ])
    func threeFailuresInARowTakeTheEndpointOut(fault: Fault, isBackByAProbe: Bool) async throws {
        try await ScriptedBackend.run(fault.script) { bad in
            let router = try RouterHarness([bad.url], options: "first_byte_timeout: \(fault == .silence ? 0.2 : 30)")
            let record = router.directory.all[0].record
            for _ in 0..<3 {
                #expect(record.outSince == nil)
                _ = try await router.complete()
            }
            #expect(record.outSince != nil)
            _ = record.probed(.good(""), at: .now())
            #expect((record.outSince == nil) == isBackByAProbe)
        }
    }

    @Test(arguments: [
        ("401 X", true), ("403 X", true), ("404 X", true), ("405 X", true), ("407 X", true), ("503 X", true),
        ("400 X", false), ("413 X", false), ("415 X", false), ("422 X", false), ("429 X", false),
    ])
    func theOperatorsErrorsCountAndTheRequestsDoNot(status: String, counts: Bool) async throws {
        try await ScriptedBackend.run({ try await $0.answer(status, "{}") }) { backend in
            let router = try RouterHarness([backend.url])
            for _ in 0..<3 { _ = try await router.complete() }
            #expect((router.directory.all[0].record.outSince != nil) == counts)
        }
    }

    @Test func aFailuresWordsAreNotWaitedFor() async throws {
        let script: ScriptedBackend.Script = { reply in
            try await reply.write("HTTP/1.1 500 X\r\nContent-Length: 100\r\n\r\nOops")
            try await reply.closed()
        }
        try await ScriptedBackend.run(script) { bad in
            try await ScriptedBackend.run(Self.good) { good in
                let answer = try await RouterHarness([bad.url, good.url]).complete()
                #expect(answer.completion.failure == nil)
                #expect(bad.requests.count == 1)
            }
        }
    }

    @Test func aKeyThatCannotBeSentIsPassedOver() async throws {
        try await ScriptedBackend.run(Self.good) { good in
            var configuration = try RouterHarness.configuration([good.url, good.url])
            configuration.models[0].endpoints[0].apiKey = Secret("two\nlines")
            let router = try RouterHarness([good.url, good.url])
            router.directory.update(configuration)
            for _ in 0..<6 {
                let failure = try await router.complete().completion.failure
                #expect(failure == nil)
            }
            #expect(router.directory.report.map(\.isHealthy) == [false, true])
        }
    }

    @Test func aRequestThatComesTooLateIsNotTheEndpointsFault() async throws {
        try await ScriptedBackend.run(Self.good) { backend in
            let router = try RouterHarness([backend.url], total: .zero)
            for _ in 0..<4 {
                let failure = try await router.complete().completion.failure
                #expect(failure == .timeout)
            }
            #expect(router.directory.report.map(\.isHealthy) == [true])
            #expect(backend.requests.isEmpty)
        }
    }

    @Test func nothingIsRepeatedAfterAByte() async throws {
        let script: ScriptedBackend.Script = { reply in
            try await reply.beginChunks()
            try await reply.chunk(Sample.stream([Sample.hello]))
            try await reply.drop()
        }
        try await ScriptedBackend.run(script) { backend in
            let answer = try await RouterHarness([backend.url, backend.url]).complete()
            #expect(answer.completion.failure == .upstream)
            #expect(answer.completion.contentEvents == 1)
            #expect(backend.requests.count == 1)
        }
    }

    @Test func whenAllHaveTooManyRequestsTheSmallestDelayIsTold() async throws {
        let script: ScriptedBackend.Script = { reply in
            let delay = reply.request.header("authorization") == "Bearer key-of-1" ? "2" : "30"
            try await reply.answer("429 X", extra: "Retry-After: \(delay)\r\n", "{}")
        }
        try await ScriptedBackend.run(script) { backend in
            let failure = try await RouterHarness([backend.url, backend.url, backend.url]).complete().completion.failure
            #expect(failure == .rateLimited(retryAfterMs: 2000))
            #expect(backend.requests.count == 3)
        }
    }

    @Test func whenOnlySomeHaveTooManyRequestsTheOtherFailureCounts() async throws {
        let script: ScriptedBackend.Script = { reply in
            try await reply.answer(
                reply.request.header("authorization") == "Bearer key-of-1" ? "500 X" : "429 X", "{}")
        }
        try await ScriptedBackend.run(script) { backend in
            let failure = try await RouterHarness([backend.url, backend.url]).complete().completion.failure
            #expect(failure == .upstream)
        }
    }

    @Test func aModelWithoutAnEndpointFailsAtOnce() async throws {
        let router = try RouterHarness(["http://127.0.0.1:1/v1"])
        router.directory.update(try RouterHarness.configuration(["http://127.0.0.1:1/v1"]).withoutModels)
        let failure = try await router.complete().completion.failure
        #expect(failure == .noHealthyEndpoint)
    }

    @Test func whenAllAreOutTheOneOutLongestIsTriedOnce() async throws {
        try await ScriptedBackend.run(Self.good) { backend in
            let router = try RouterHarness([backend.url, "http://127.0.0.1:1/v1"])
            for endpoint in router.directory.all { endpoint.record.goOut() }
            let answer = try await router.complete()
            #expect(answer.completion.failure == nil)
            #expect(backend.requests.count == 1)
        }
        let router = try RouterHarness(["http://127.0.0.1:1/v1"])
        for endpoint in router.directory.all { endpoint.record.goOut() }
        let failure = try await router.complete().completion.failure
        #expect(failure == .noHealthyEndpoint)
    }

    @Test func aDrainingRouterTakesNoRequest() async throws {
        try await ScriptedBackend.run(Self.good) { backend in
            let router = try RouterHarness([backend.url])
            router.drain.begin()
            let failure = try await router.complete().completion.failure
            #expect(failure == .draining)
            #expect(backend.requests.isEmpty)
        }
    }
}

extension LumenConfiguration {
    var withoutModels: LumenConfiguration {
        var copy = self
        copy.models = []
        return copy
    }
}

extension EndpointRecord {
    /// Has probes take the endpoint out.
    func goOut() {
        for _ in 0..<HealthState.badProbesToOut { _ = probed(.bad("status 500"), at: .now()) }
    }
}
