import NIOConcurrencyHelpers
import NIOCore

/// One connection to the echo backend: it notices the client leaving the moment the kernel does, not at the next write,
/// and ends whatever pause the reply is in.
final class ClientConnection: Sendable {
    private let channel: any Channel
    private let state = NIOLockedValueBox(State())

    /// What goes on, of which there is one at a time: HTTP/1.1 answers a connection's requests in order.
    private struct State {
        var pause: Scheduled<Void>?
        var whenLeft: (@Sendable () -> Void)?
        var hasLeft = false
    }

    init(on channel: any Channel) { self.channel = channel }

    /// Calls `whenLeft` if the client leaves before `end`, at once if it has already.
    func begin(whenLeft: @escaping @Sendable () -> Void) {
        let hasLeft = state.withLockedValue {
            if !$0.hasLeft { $0.whenLeft = whenLeft }
            return $0.hasLeft
        }
        if hasLeft { whenLeft() }
    }

    /// A client that leaves from now on has missed nothing.
    func end() { state.withLockedValue { $0.whenLeft = nil } }

    struct ClientLeft: Error {}

    func pause(_ time: TimeAmount) async throws {
        if time > .zero { try await pause(until: .now() + time) }
    }

    /// Waits; throws `ClientLeft` at once when the client leaves.
    func pause(until deadline: NIODeadline) async throws {
        let pause = channel.eventLoop.scheduleTask(deadline: deadline) {}
        let hasLeft = state.withLockedValue {
            if !$0.hasLeft { $0.pause = pause }
            return $0.hasLeft
        }
        if hasLeft { pause.cancel() }
        do {
            try await pause.futureResult.get()
        } catch {
            throw ClientLeft()
        }
    }

    /// Waits for the client to leave.
    func waitUntilLeft() async { try? await channel.closeFuture.get() }

    /// Closes the connection with nothing more said.
    func drop() async {
        end()
        try? await channel.close()
    }

    fileprivate func left() {
        let (pause, whenLeft) = state.withLockedValue { state in
            defer { state = State(hasLeft: true) }
            return (state.pause, state.whenLeft)
        }
        pause?.cancel()
        whenLeft?()
    }
}

/// The open connections, by their channel.
final class ClientConnections: Sendable {
    private let open = NIOLockedValueBox<[ObjectIdentifier: ClientConnection]>([:])

    func connection(on channel: any Channel) -> ClientConnection {
        open.withLockedValue { $0[ObjectIdentifier(channel)] } ?? ClientConnection(on: channel)
    }

    fileprivate func add(_ channel: any Channel) {
        let connection = ClientConnection(on: channel)
        open.withLockedValue { $0[ObjectIdentifier(channel)] = connection }
    }

    fileprivate func remove(_ channel: any Channel) {
        open.withLockedValue { $0.removeValue(forKey: ObjectIdentifier(channel)) }?.left()
    }
}

/// Tells `ClientConnections` what happens on a channel.
final class DepartureHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    private let connections: ClientConnections

    init(_ connections: ClientConnections) { self.connections = connections }

    func handlerAdded(context: ChannelHandlerContext) { connections.add(context.channel) }

    /// The server leaves half-closed connections open; an HTTP client that closes its side has left.
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        connections.remove(context.channel)
        context.fireChannelInactive()
    }
}
