import HTTPClient
import Logging
import NIOCore
import ServiceLifecycle
import SharedProtocol

/// Asks each endpoint for its model list now and then: `GET {url}/models`, with the endpoint's key. Probes run beside each
/// other, each with a deadline of its own, so that a silent backend delays no other's.
struct Prober: ServiceLifecycle.Service {
    /// One probe, from connecting to the last byte.
    static let timeLimit = Duration.seconds(5)
    /// How often it is looked for endpoints whose probe is due.
    static let tick = Duration.milliseconds(250)
    /// Longer lists are bad ones, in bytes. Large providers' lists have some hundred KiB.
    static let listLimit = 4 << 20

    let directory: EndpointDirectory
    let client: HTTPClient
    let timeLimit: Duration
    private let log = Logger(label: "prober")

    init(_ directory: EndpointDirectory, _ client: HTTPClient, timeLimit: Duration = Self.timeLimit) {
        self.directory = directory
        self.client = client
        self.timeLimit = timeLimit
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { probes in
                while !Task.isCancelled {
                    let now = NIODeadline.now()
                    for endpoint in directory.all where endpoint.record.beginProbe(at: now) {
                        probes.addTask { await probe(endpoint) }
                    }
                    directory.serveLines()
                    try? await Task.sleep(for: Self.tick)
                }
            }
        }
    }

    private func probe(_ endpoint: Endpoint) async {
        let outcome = await ask(endpoint)
        if endpoint.record.probed(outcome, at: .now()) {
            log.notice(
                "an endpoint's standing changed",
                metadata: [
                    "model": "\(endpoint.model)", "endpoint": "\(endpoint.configuration.url)",
                    "is_out": "\(endpoint.record.outSince != nil)", "probe": "\(outcome.detail)",
                ])
        }
    }

    private func ask(_ endpoint: Endpoint) async -> ProbeOutcome {
        let request = HTTPRequest(
            url: endpoint.configuration.url + "/models", headers: endpoint.headers(accepting: "application/json"),
            timeouts: HTTPTimeouts(connect: timeLimit, firstByte: timeLimit, idle: timeLimit, total: timeLimit))
        do throws(HTTPClientError) {
            let response = try await client.send(request)
            let list = try await response.collect(upTo: Self.listLimit)
            return ProbeOutcome(
                status: response.head.status, list, isServing: endpoint.configuration.remoteModel)
        } catch {
            return .bad("\(error)")
        }
    }
}
