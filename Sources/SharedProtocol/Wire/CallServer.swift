import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import ServiceLifecycle

/// Answers calls on one Unix socket until it is told to stop; then lets running calls finish.
public final class CallServer: Service {
    /// Connections that the kernel may hold ready; must not exceed `net.core.somaxconn`.
    public static let backlog: Int32 = 4096
    /// How long running calls may take to finish when the server stops, unless told otherwise.
    public static let defaultDrain = Duration.seconds(10)

    private let identity: ServiceIdentity
    private let socket: String
    private let group: any EventLoopGroup
    private let drain: @Sendable () -> Duration
    private let calls: CallTable
    private let connections = ServerConnections()
    private let log = Logger(label: "wire")

    /// - Parameters:
    ///   - socket: path of the socket, at most 107 bytes.
    ///   - drain: asked when the server stops: how long running calls may take to finish.
    ///   - problems: why the service is not healthy, for `instance.status`; empty when it is.
    public init(
        _ identity: ServiceIdentity, socket: String, calls: CallTable, on group: any EventLoopGroup,
        drain: @escaping @Sendable () -> Duration = { CallServer.defaultDrain },
        problems: @escaping @Sendable () -> [String] = { [] }
    ) {
        self.identity = identity
        self.socket = socket
        self.group = group
        self.drain = drain
        var calls = calls
        calls.on(Instance.Status.self) { _, _ throws(CallError) in
            Instance.Report(
                service: identity.service, instance: identity.instance, pid: identity.pid, version: identity.version,
                started: identity.started, problems: problems())
        }
        self.calls = calls
    }

    /// Binds the socket and answers until graceful shutdown or cancellation. Throws when the socket is taken or cannot be
    /// bound. Leaves no file behind.
    public func run() async throws {
        let file = try SocketFile.claim(socket)
        defer { file.release() }
        let listener = try await bind(to: file.temporaryPath)
        try file.publish()
        try? await gracefulShutdown()
        file.unpublish()
        try? await listener.close()
        await connections.drain(atMost: drain())
    }

    private func bind(to path: String) async throws -> any Channel {
        let hello = try Frame.hello(from: identity)
        return try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: Self.backlog)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { [calls, connections, log] channel in
                channel.eventLoop.makeCompletedFuture {
                    try BriefReceiveBuffers.use(on: channel, firstSize: ServerConnection.helloSize)
                    try channel.pipeline.syncOperations.addHandler(
                        ServerConnection(channel, hello: hello, calls: calls, all: connections, log: log))
                }
            }
            .bind(unixDomainSocketPath: path).get()
    }
}

/// The open connections of a server and the calls that run on them, so that stopping can wait for the calls.
final class ServerConnections: Sendable {
    private struct State {
        var open: [ObjectIdentifier: Outbox] = [:]
        var callsInFlight = 0
        var onIdle: CheckedContinuation<Void, Never>?

        mutating func waiterIfIdle() -> CheckedContinuation<Void, Never>? {
            guard callsInFlight == 0 else { return nil }
            defer { onIdle = nil }
            return onIdle
        }
    }

    private let state = NIOLockedValueBox(State())

    func opened(_ outbox: Outbox) { state.withLockedValue { $0.open[ObjectIdentifier(outbox)] = outbox } }

    func closed(_ outbox: Outbox) { state.withLockedValue { $0.open[ObjectIdentifier(outbox)] = nil } }

    func callBegan() { state.withLockedValue { $0.callsInFlight += 1 } }

    func callEnded() {
        let waiter = state.withLockedValue { state in
            state.callsInFlight -= 1
            return state.waiterIfIdle()
        }
        waiter?.resume()
    }

    /// Waits until no call runs, then closes every connection behind its last reply. Returns when all are closed.
    func drain(atMost limit: Duration) async {
        let timer = Task { [self] in
            try await Task.sleep(for: limit)
            state.withLockedValue { state in
                defer { state.onIdle = nil }
                return state.onIdle
            }?.resume()
        }
        await withCheckedContinuation { continuation in
            state.withLockedValue { state in
                state.onIdle = continuation
                return state.waiterIfIdle()
            }?.resume()
        }
        timer.cancel()
        let closings = state.withLockedValue { $0.open.values }.map { outbox in
            // Behind the flush that the last reply has scheduled on the same loop.
            outbox.channel.eventLoop.flatSubmit { outbox.channel.close() }
        }
        // Awaited: the process may end next, and what was answered shall have left it.
        for closing in closings { try? await closing.get() }
    }
}
