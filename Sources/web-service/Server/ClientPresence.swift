import NIOConcurrencyHelpers
import NIOCore
import ServiceLifecycle
import SharedProtocol

/// Tells a request's handler at once when its client goes away. Hummingbird by itself notices only at the next write.
final class ClientPresence: Sendable {
    private struct State {
        var hasLeft = false
        var onLeave: (@Sendable () -> Void)?
        /// Since when the client has not taken what we write.
        var writingSince: NIODeadline?
    }

    private let state = NIOLockedValueBox(State())

    /// What to do when the client leaves; at once when it has left already. One request at a time runs on a connection, so
    /// each replaces the action of the one before.
    func onLeave(_ action: @escaping @Sendable () -> Void) {
        let hasLeft = state.withLockedValue { state in
            state.onLeave = action
            return state.hasLeft
        }
        if hasLeft { action() }
    }

    /// The request has ended.
    func forget() { state.withLockedValue { $0.onLeave = nil } }

    /// Runs a write, which suspends for as long as the client does not read.
    func writing<Failure: Error>(_ write: () async throws(Failure) -> Void) async throws(Failure) {
        state.withLockedValue { $0.writingSince = .now() }
        defer { state.withLockedValue { $0.writingSince = nil } }
        try await write()
    }

    fileprivate func isStalled(for limit: TimeAmount) -> Bool {
        state.withLockedValue { $0.writingSince.map { .now() - $0 > limit } ?? false }
    }

    fileprivate func left() {
        let action = state.withLockedValue { state in
            state.hasLeft = true
            defer { state.onLeave = nil }
            return state.onLeave
        }
        action?()
    }
}

/// The presence of each open connection's client. Cuts those that have read nothing for `routing.client_stall_timeout`.
final class ClientPresences: ServiceLifecycle.Service {
    static let sweepInterval = Duration.seconds(1)

    private let stallLimit: @Sendable () -> Duration
    private let presences = NIOLockedValueBox<[ObjectIdentifier: (ClientPresence, any Channel)]>([:])

    init(stallLimit: @escaping @Sendable () -> Duration) { self.stallLimit = stallLimit }

    /// Of the client behind this channel.
    func presence(on channel: any Channel) -> ClientPresence {
        presences.withLockedValue { $0[ObjectIdentifier(channel)]?.0 } ?? ClientPresence()
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: Self.sweepInterval)) != nil { self.cutStalled() }
        }
    }

    private func cutStalled() {
        let limit = stallLimit().timeAmount
        for (presence, channel) in presences.withLockedValue({ Array($0.values) }) where presence.isStalled(for: limit)
        {
            // The write that waits now fails; whoever waits for it stops the backend and bills what it produced.
            channel.close(promise: nil)
        }
    }

    /// A handler for a new connection's pipeline.
    func watch() -> any RemovableChannelHandler { Watch(self) }

    private final class Watch: ChannelInboundHandler, RemovableChannelHandler {
        typealias InboundIn = NIOAny

        private let presences: ClientPresences
        private let presence = ClientPresence()

        init(_ presences: ClientPresences) { self.presences = presences }

        func handlerAdded(context: ChannelHandlerContext) {
            let key = ObjectIdentifier(context.channel)
            presences.presences.withLockedValue { $0[key] = (presence, context.channel) }
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case .inputClosed = event as? ChannelEvent { presence.left() }
            context.fireUserInboundEventTriggered(event)
        }

        func channelInactive(context: ChannelHandlerContext) {
            let key = ObjectIdentifier(context.channel)
            presences.presences.withLockedValue { _ = $0.removeValue(forKey: key) }
            presence.left()
            context.fireChannelInactive()
        }
    }
}
