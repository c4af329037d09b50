import HTTPClient
import NIOCore
import SharedProtocol
import Testing

@testable import router_service

@Suite(.timeLimit(.minutes(1))) struct ProbeTests {
    @Test(arguments: [
        (200, #"{"data":[{"id":"other"},{"id":"llama"}]}"#, HealthState.Verdict.good),
        (200, #"{"data":[{"id":"llama:latest"}]}"#, .good),
        (200, #"{"data":[{"id":"llama:7b"}]}"#, .bad),
        (200, #"{"data":[{"id":"other"}]}"#, .bad),
        (200, #"{"data":[]}"#, .good), (200, #"{"data":null}"#, .good), (200, "{}", .good), (200, "[]", .good),
        (200, #"{"data":[1,{"id":7},{"id":"llama"}]}"#, .good),
        (200, "<html>", .bad), (200, "", .bad),
        (404, "", .alive), (405, "", .alive), (501, "", .alive), (429, "", .alive),
        (500, "", .bad), (401, "", .bad), (302, "", .bad),
    ])
    func theListingRule(status: Int, list: String, verdict: HealthState.Verdict) {
        #expect(ProbeOutcome(status: status, ByteBuffer(string: list), isServing: "llama").verdict == verdict)
    }

    @Test func probesAskForTheModelsWithTheEndpointsKey() async throws {
        try await ScriptedBackend.run({ try await $0.answer("200 OK", "{}") }) { backend in
            try await probing([backend.url, backend.url]) { _ in
                try await eventually("both are probed at once") { backend.requests.count == 2 }
                #expect(Set(backend.requests.map(\.line)) == ["GET /v1/models HTTP/1.1"])
                let keys = Set(backend.requests.compactMap { $0.header("authorization") })
                #expect(keys == ["Bearer key-of-0", "Bearer key-of-1"])
            }
        }
    }

    @Test func aSilentEndpointDelaysNoOthersProbe() async throws {
        try await ScriptedBackend.run({ try await $0.closed() }) { silent in
            try await ScriptedBackend.run({ try await $0.answer("200 OK", "{}") }) { good in
                try await probing([silent.url, good.url]) { directory in
                    try await eventually("the good one has been probed") { directory.report[1].lastProbe != nil }
                    #expect(directory.report[0].lastProbe == nil)
                }
            }
        }
    }

    @Test func aReloadHasAllProbedAtOnce() async throws {
        try await ScriptedBackend.run({ try await $0.answer("200 OK", "{}") }) { backend in
            try await probing([backend.url]) { directory in
                try await eventually("it is probed") { directory.report[0].lastProbe != nil }
                directory.update(try RouterHarness.configuration([backend.url, backend.url]))
                try await eventually("both are probed") { backend.requests.count == 3 }
            }
        }
    }

    @Test func aModelThatIsNotListedTakesTheEndpointOut() async throws {
        try await ScriptedBackend.run({ try await $0.answer("200 OK", #"{"data":[{"id":"other"}]}"#) }) { backend in
            try await probing([backend.url]) { directory in
                try await eventually("it goes out") { !directory.report[0].isHealthy }
                #expect(directory.problems == ["No endpoint of the model public/m is healthy."])
            }
        }
    }

    @Test func aProbeHasADeadlineOfItsOwn() async throws {
        let drips: ScriptedBackend.Script = { reply in
            try await reply.beginChunks(type: "application/json")
            while true {
                try await reply.chunk(" ")
                try await Task.sleep(for: .milliseconds(10))
            }
        }
        try await ScriptedBackend.run(drips) { backend in
            try await probing([backend.url], timeLimit: .milliseconds(100)) { directory in
                try await eventually("two probes end, and it is out") { !directory.report[0].isHealthy }
                #expect(directory.report[0].detail == "its model list did not answer or lacks the model")
            }
        }
    }

    @Test func thoseInLineAreToldInTimeThoughNothingHappens() async throws {
        try await ScriptedBackend.run({ try await $0.answer("200 OK", "{}") }) { backend in
            try await probing([backend.url], options: "max_concurrency: 1") { directory in
                _ = try #require(directory.choose(RouterHarness.model, excluding: []))
                #expect(await directory.wait(until: .now() + .milliseconds(100)) == nil)
            }
        }
    }

    private func probing(
        _ urls: [String], options: String = "", timeLimit: Duration = Prober.timeLimit,
        _ body: (EndpointDirectory) async throws -> Void
    ) async throws {
        let router = try RouterHarness(urls, options: options)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await Prober(router.directory, router.client, timeLimit: timeLimit).run() }
            defer { group.cancelAll() }
            try await body(router.directory)
        }
    }
}
