import Logging
import NIOConcurrencyHelpers
import NIOCore
import ServiceLifecycle
import SharedProtocol

/// The router instances of this host, found by their sockets in `run_dir`. A request goes to the one with the least
/// outstanding; one that a router had not begun to answer when it went away goes to another.
final class RouterPool: Service {
    /// How often sockets are looked for and routers are asked whether they live.
    static let interval = Duration.milliseconds(500)
    /// The same while none is known, which is so when everything has just been started.
    static let impatience = Duration.milliseconds(20)
    static let pingTimeout = Duration.milliseconds(400)
    /// A router silent for this long gets no requests, and what it has not begun to answer goes elsewhere.
    static let silenceLimit = TimeAmount.milliseconds(1500)
    /// A router silent for this long is taken for dead, with the answers that it was relaying.
    static let deathLimit = TimeAmount.seconds(10)
    /// Routers that one request tries.
    static let attempts = 3

    private let folder: String
    private let connect: @Sendable (String) throws -> any Caller
    private let routers = NIOLockedValueBox<[String: RouterInstance]>([:])
    private let log = Logger(label: "routers")

    /// - Parameter connect: a caller for the socket at a path.
    init(in folder: String, connect: @escaping @Sendable (String) throws -> any Caller) {
        self.folder = folder
        self.connect = connect
    }

    /// Opens the call on the best router. Returns with the first events, which are none when the call has already ended.
    func open(
        _ call: Router.Complete, body: ByteBuffer, request: RequestID, timeout: Duration
    ) async throws(CallError) -> RouterStream {
        var tried: Set<String> = []
        var last = CallError(.unavailable, "no router is running")
        while tried.count < Self.attempts, let router = best(except: tried) {
            tried.insert(router.path)
            do {
                let stream = try await RouterStream.open(
                    call, body: body, request: request, timeout: timeout, on: router)
                if stream.isRefusedByDraining() { continue }
                return stream
            } catch {
                last = error
                log.warning(
                    "a router did not begin a request",
                    metadata: ["request_id": "\(request)", "router": "\(router.path)", "code": "\(error.code)"])
            }
        }
        throw last
    }

    /// Every router's view of the endpoints; routers that do not answer are left out.
    func endpoints(timeout: Duration) async -> [[Router.EndpointHealth]] {
        await withTaskGroup(of: [Router.EndpointHealth]?.self) { group in
            for router in all {
                group.addTask {
                    try? await router.caller.call(Router.Endpoints(), request: nil, timeout: timeout)
                }
            }
            return await group.reduce(into: []) { views, view in if let view { views.append(view) } }
        }
    }

    /// Whether at least one router takes requests.
    var isReady: Bool { best(except: []) != nil }

    private var all: [RouterInstance] { routers.withLockedValue { Array($0.values) } }

    private func best(except tried: Set<String>) -> RouterInstance? {
        let now = NIODeadline.now()
        return all.filter { !tried.contains($0.path) && $0.isUsable(now) }
            .min { $0.outstanding < $1.outstanding }
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await self.look()
                try? await Task.sleep(for: self.isReady ? Self.interval : Self.impatience)
            }
        }
    }

    /// One round: which sockets are there, and who answers.
    func look() async {
        let paths = Set(Self.sockets(in: folder))
        routers.withLockedValue { routers in
            for path in routers.keys where !paths.contains(path) { routers[path]?.leave() }
            routers = routers.filter { paths.contains($0.key) }
            for path in paths where routers[path] == nil {
                routers[path] = (try? connect(path)).map { RouterInstance(path, $0) }
            }
        }
        await withDiscardingTaskGroup { group in
            for router in all { group.addTask { await router.ping() } }
        }
    }

    private static func sockets(in folder: String) -> [String] {
        DirectoryListing.names(in: folder)
            .filter { $0.hasPrefix("router-") && $0.hasSuffix(".sock") }
            .map { folder + "/" + $0 }
    }
}
