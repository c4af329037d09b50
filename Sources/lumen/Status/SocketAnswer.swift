import FoundationEssentials
import SharedProtocol

/// What was heard at one socket of `run_dir`.
struct SocketAnswer: Sendable {
    let service: ServiceName
    /// From the socket's name when nothing was heard; absent when that does not tell.
    let instance: InstanceID?
    let status: Result<Instance.Report, CallError>
    /// Of a router.
    let endpoints: [Router.EndpointHealth]

    /// For one answer. A service that takes longer is not well.
    private static let timeout = Duration.milliseconds(500)

    /// Asks at every socket at once.
    static func all(of site: SiteClient) async -> [SocketAnswer] {
        await withTaskGroup(of: SocketAnswer.self) { group in
            for socket in sockets(in: site.runDirectory) { group.addTask { await answer(at: socket, of: site) } }
            return await group.reduce(into: []) { $0.append($1) }
        }
    }

    /// Nil when no `lumen up` answers.
    static func supervision(of site: SiteClient) async -> Supervision.Report? {
        try? await site.call(Supervision.Status(), at: "lumen.sock", timeout: timeout)
    }

    private static func sockets(in folder: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasSuffix(".sock") && $0 != "lumen.sock" }.sorted()
    }

    private static func answer(at socket: String, of site: SiteClient) async -> SocketAnswer {
        let words = socket.dropLast(".sock".count).split(separator: "-", maxSplits: 1)
        let service = ServiceName(String(words.first ?? ""))
        let named = words.count == 2 ? InstanceID(String(words[1])) : nil
        async let health = endpoints(at: socket, of: site, service)
        do throws(CallError) {
            let report = try await site.call(Instance.Status(), at: socket, timeout: timeout)
            return SocketAnswer(
                service: service, instance: report.instance, status: .success(report), endpoints: await health)
        } catch {
            return SocketAnswer(service: service, instance: named, status: .failure(error), endpoints: await health)
        }
    }

    private static func endpoints(
        at socket: String, of site: SiteClient, _ service: ServiceName
    ) async -> [Router.EndpointHealth] {
        guard service == .router else { return [] }
        return (try? await site.call(Router.Endpoints(), at: socket, timeout: timeout)) ?? []
    }
}
