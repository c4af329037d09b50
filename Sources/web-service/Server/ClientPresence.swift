import NIOConcurrencyHelpers
import NIOCore

/// Tells a request's handler at once when its client goes away. Hummingbird by itself notices only at the next write.
final class ClientPresence: Sendable {
    private struct State {
        var hasLeft = false
        var onLeave: (@Sendable () -> Void)?
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

    fileprivate func left() {
        let action = state.withLockedValue { state in
            state.hasLeft = true
            defer { state.onLeave = nil }
            return state.onLeave
        }
        action?()
    }
}

/// The presence of each open connection's client.
final class ClientPresences: Sendable {
    private let presences = NIOLockedValueBox<[ObjectIdentifier: ClientPresence]>([:])

    /// Of the client behind this channel.
    func presence(on channel: any Channel) -> ClientPresence {
        presences.withLockedValue { $0[ObjectIdentifier(channel)] } ?? ClientPresence()
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
            presences.presences.withLockedValue { $0[key] = presence }
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
