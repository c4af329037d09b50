import HTTPClient
import NIOCore
import SharedProtocol
import Testing

@testable import router_service

@Suite(.timeLimit(.minutes(1))) struct ProbeTests {
    @Test(arguments: [
        (200, #"{"data":[{"id":"other"},{"id":"llama"}]}"#, true),
        (200, #"{"data":[{"id":"llama:latest"}]}"#, true),
        (200, #"{"data":[{"id":"llama:7b"}]}"#, false),
        (200, #"{"data":[{"id":"other"}]}"#, false),
        (200, #"{"data":[]}"#, true), (200, #"{"data":null}"#, true), (200, "{}", true), (200, "[]", true),
        (200, #"{"data":[1,{"id":7},{"id":"llama"}]}"#, true),
        (200, "<html>", false), (200, "", false),
        (404, "", true), (405, "", true), (501, "", true),
        (500, "", false), (401, "", false), (302, "", false),
    ])
    func theListingRule(status: Int, list: String, isGood: Bool) {
        #expect(ProbeOutcome(status: status, ByteBuffer(string: list), isServing: "llama").isGood == isGood)
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

    private func probing(_ urls: [String], _ body: (EndpointDirectory) async throws -> Void) async throws {
        let router = try RouterHarness(urls)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await Prober(router.directory, router.client).run() }
            defer { group.cancelAll() }
            try await body(router.directory)
        }
    }
}
