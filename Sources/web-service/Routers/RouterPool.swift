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
    /// From one ping that is not answered to the next.
    static let pingPeriod = (interval + pingTimeout).timeAmount
    /// A router silent for this long gets no requests, and what it has not begun to answer goes elsewhere.
    static let silenceLimit = TimeAmount.milliseconds(1500)
    /// A router silent for this long is taken for dead, with the answers that it was relaying.
    static let deathLimit = TimeAmount.seconds(10)
    /// Routers that one request tries. Those that refuse because they drain do not count.
    static let attempts = 3
    /// How long a request waits for a router that takes it: one is being replaced, or restarted after its death.
    static let awayLimit = Duration.seconds(1)
    /// How often such a request looks again.
    static let waitInterval = Duration.milliseconds(20)
    /// Requests that may wait so at once; others fail at once.
    static let waitingLimit = 1024

    private let folder: String
    private let connect: @Sendable (String) throws -> any Caller
    private let state = NIOLockedValueBox(State())
    private let log = Logger(label: "routers")

    private struct State {
        /// By the paths of their sockets.
        var routers: [String: RouterInstance] = [:]
        /// Counts choices.
        var turn: UInt64 = 0
        /// Requests that wait for a router.
        var waiting = 0
        var lastSearch = NIODeadline.uptimeNanoseconds(0)
    }

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
        var failures = 0
        var last = CallError(.unavailable, "no router is running")
        while failures < Self.attempts, let (router, ticket) = await chosen(except: tried) {
            tried.insert(router.path)
            do {
                let stream = try await RouterStream.open(
                    call, body: body, request: request, timeout: timeout, on: router, ticket)
                if !stream.isRefusedByDraining() { return stream }
            } catch {
                last = error
                failures += 1
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
    var isReady: Bool {
        all.contains { $0.rank != nil }
    }

    private var all: [RouterInstance] { state.withLockedValue { Array($0.routers.values) } }

    private typealias Choice = (router: RouterInstance, ticket: UInt64)

    /// The least busy router, and the request's place there. Waits a little for one when there is none.
    private func chosen(except tried: Set<String>) async -> Choice? {
        if let choice = choose(except: tried) { return choice }
        guard beginWaiting() else { return nil }
        defer { state.withLockedValue { $0.waiting -= 1 } }
        let deadline = ContinuousClock.now + Self.awayLimit
        while !Task.isCancelled, ContinuousClock.now < deadline {
            search()
            if let choice = choose(except: tried) { return choice }
            try? await Task.sleep(for: Self.waitInterval)
        }
        return nil
    }

    private func beginWaiting() -> Bool {
        state.withLockedValue { state in
            guard state.waiting < Self.waitingLimit else { return false }
            state.waiting += 1
            return true
        }
    }

    private func choose(except tried: Set<String>) -> Choice? {
        state.withLockedValue { state in
            var best: (router: RouterInstance, rank: RouterInstance.Rank)?
            for router in state.routers.values {
                guard let rank = router.rank, tried.isEmpty || !tried.contains(router.path) else { continue }
                if best.map({ rank < $0.rank }) ?? true { best = (router, rank) }
            }
            guard let router = best?.router else { return nil }
            state.turn += 1
            return (router, router.chosen(turn: state.turn))
        }
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
        search(again: true)
        await withDiscardingTaskGroup { group in
            for router in all { group.addTask { await router.ping() } }
        }
    }

    /// Looks which sockets are there; not twice within `waitInterval`, unless `again`.
    private func search(again: Bool = false) {
        let now = NIODeadline.now()
        let isDue = state.withLockedValue { state in
            guard again || now - state.lastSearch >= Self.waitInterval.timeAmount else { return false }
            state.lastSearch = now
            return true
        }
        guard isDue else { return }
        let paths = Set(Self.sockets(in: folder))
        state.withLockedValue { state in
            for path in state.routers.keys where !paths.contains(path) { state.routers[path]?.leave() }
            state.routers = state.routers.filter { paths.contains($0.key) }
            for path in paths where state.routers[path] == nil {
                state.routers[path] = (try? connect(path)).map { RouterInstance(path, $0) }
            }
        }
    }

    private static func sockets(in folder: String) -> [String] {
        DirectoryListing.names(in: folder)
            .filter { $0.hasPrefix("router-") && $0.hasSuffix(".sock") }
            .map { folder + "/" + $0 }
    }
}
