import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import ServiceLifecycle
import SharedProtocol

/// Tells a request's handler at once when its client goes away. Hummingbird by itself notices only at the next write.
final class ClientPresence: Sendable {
    private struct State {
        var hasLeft = false
        var onLeave: (@Sendable () -> Void)?
        /// Since when the client has taken nothing of what we write.
        var writingSince: NIODeadline?
        /// All that it had taken when that was looked at last, in bytes.
        var taken: UInt64 = 0
        var pace = RequestPace()
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
    func writing<Failure: Error>(_ write: @concurrent () async throws(Failure) -> Void) async throws(Failure) {
        note(writingSince: .now())
        defer { note(writingSince: nil) }
        try await write()
    }

    @inline(never)
    private func note(writingSince time: NIODeadline?) { state.withLockedValue { $0.writingSince = time } }

    /// Whether it is time to look at it more closely.
    fileprivate func isSlow(at now: NIODeadline) -> Bool {
        state.withLockedValue { state in
            state.pace.isTooSlow(at: now)
                || state.writingSince.map { now - $0 > ClientPresences.sweepInterval.timeAmount } ?? false
        }
    }

    /// Whether it sends its request too slowly.
    fileprivate func isTooSlow(at now: NIODeadline) -> Bool { state.withLockedValue { $0.pace.isTooSlow(at: now) } }

    /// Whether it has taken nothing for so long.
    ///
    /// - Parameter taken: all that it has taken so far, in bytes.
    fileprivate func isStalled(for limit: TimeAmount, taken: UInt64, at now: NIODeadline) -> Bool {
        state.withLockedValue { state in
            // A write waits for room for more than a slow client takes in that time; each byte shows that it reads.
            if state.taken != taken, state.writingSince != nil { state.writingSince = now }
            state.taken = taken
            return state.writingSince.map { now - $0 > limit } ?? false
        }
    }

    func pace(_ note: (inout RequestPace) -> Void) { state.withLockedValue { note(&$0.pace) } }

    fileprivate func left() {
        let action = state.withLockedValue { state in
            state.hasLeft = true
            defer { state.onLeave = nil }
            return state.onLeave
        }
        action?()
    }
}

/// The presence of each open connection's client. Cuts those that have read nothing for `routing.client_stall_timeout`, and
/// answers 408 to those that send slower than `RequestPace` allows.
final class ClientPresences: ServiceLifecycle.Service {
    static let sweepInterval = Duration.seconds(1)

    private let stallLimit: @Sendable () -> Duration
    private let presences = NIOLockedValueBox<[ObjectIdentifier: (ClientPresence, any Channel)]>([:])

    init(stallLimit: @escaping @Sendable () -> Duration) { self.stallLimit = stallLimit }

    /// Of the client behind this channel; of one that has left, when the channel is closed.
    func presence(on channel: any Channel) -> ClientPresence {
        if let presence = presences.withLockedValue({ $0[ObjectIdentifier(channel)]?.0 }) { return presence }
        let presence = ClientPresence()
        presence.left()
        return presence
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: Self.sweepInterval)) != nil { self.cutStalled() }
        }
    }

    /// Looks at every client.
    func cutStalled(at now: NIODeadline = .now()) {
        let limit = stallLimit().timeAmount
        for (presence, channel) in presences.withLockedValue({ Array($0.values) }) where presence.isSlow(at: now) {
            channel.eventLoop.execute {
                let taken = ClientSocket.bytesTaken(on: channel)
                if presence.isStalled(for: limit, taken: taken, at: now) {
                    // The write that waits now fails; whoever waits for it stops the backend and bills what it produced.
                    channel.close(promise: nil)
                } else if presence.isTooSlow(at: now) {
                    channel.pipeline.fireErrorCaught(APIError.requestTimeout)
                }
            }
        }
    }

    /// A handler for a new connection's pipeline.
    func watch() -> any RemovableChannelHandler { Watch(self) }

    /// What the connection's end tells; and brings the handlers that work before it.
    private final class Watch: ChannelInboundHandler, RemovableChannelHandler {
        typealias InboundIn = HTTPRequestPart

        private let presences: ClientPresences
        private let presence = ClientPresence()

        init(_ presences: ClientPresences) { self.presences = presences }

        func handlerAdded(context: ChannelHandlerContext) {
            let key = ObjectIdentifier(context.channel)
            presences.presences.withLockedValue { $0[key] = (presence, context.channel) }
            ClientSocket.limitUnsent(on: context.channel)
            let exchanges = ExchangeHandler(presence)
            do {
                let pipeline = context.pipeline.syncOperations
                try pipeline.addHandler(Bytes(exchanges), position: .first)
                try pipeline.addHandler(
                    exchanges, position: .after(pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)))
            } catch {
                preconditionFailure("the library's pipeline has changed: \(error)")
            }
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

    /// Sees the bytes before they are HTTP.
    private final class Bytes: ChannelInboundHandler, RemovableChannelHandler {
        typealias InboundIn = ByteBuffer

        private let exchanges: ExchangeHandler
        /// Held, so that the connection keeps no other buffer: see `BriefReceiveBuffers`.
        private var firstRead: ByteBuffer?

        init(_ exchanges: ExchangeHandler) { self.exchanges = exchanges }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = unwrapInboundIn(data)
            if firstRead == nil { firstRead = bytes }
            exchanges.received(bytes)
            context.fireChannelRead(data)
        }
    }
}
