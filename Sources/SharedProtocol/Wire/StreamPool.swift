import NIOConcurrencyHelpers
import NIOCore

/// The connections for streaming calls to one peer: one for each running stream, and idle ones kept for the next.
final class StreamPool: Sendable {
    /// Idle connections that are kept; those beyond are closed.
    static let idleLimit = 256
    /// How long opening a stream waits for a peer that is away.
    static let awayLimit = Duration.seconds(2)

    private let path: String
    private let group: any EventLoopGroup
    private let hello: ByteBuffer
    /// Whether a peer that is away may come back at this path.
    private let peerReturns: Bool
    private let idle = NIOLockedValueBox<[StreamConnection]>([])

    init(path: String, group: any EventLoopGroup, hello: ByteBuffer, peerReturns: Bool) {
        self.path = path
        self.group = group
        self.hello = hello
        self.peerReturns = peerReturns
    }

    func open<Reply>(_ id: UInt64, _ frame: ByteBuffer) async throws(CallError) -> EventStream<Reply> {
        let giveUp = ContinuousClock.now + Self.awayLimit
        var delay = Duration.milliseconds(1)
        while true {
            let queue = EventQueue()
            var connection = idle.withLockedValue { $0.popLast() }
            var isGone = false
            if connection == nil {
                let dialled = await dial()
                connection = dialled.connection
                isGone = dialled.isAbsent && !peerReturns
            }
            if let connection, connection.begin(id, frame, queue) {
                return EventStream(
                    queue, onCancel: { connection.cancel(id) }, onAbandon: { connection.close() })
            }
            guard !isGone, ContinuousClock.now < giveUp else {
                throw CallError(.unavailable, "the service cannot be reached")
            }
            // A full backlog is refused at once, like an absent peer; both pass in milliseconds.
            try? await Task.sleep(for: delay)
            delay = min(delay * 2, .milliseconds(50))
        }
    }

    func close() {
        let connections = idle.withLockedValue { idle in
            defer { idle = [] }
            return idle
        }
        for connection in connections { connection.close() }
    }

    private func dial() async -> (connection: StreamConnection?, isAbsent: Bool) {
        await withCheckedContinuation { continuation in
            let loop = group.next()
            let connection = StreamConnection(pool: self) { continuation.resume(returning: ($0, $1)) }
            ClientConnection.dial(path, on: loop, hello: hello, delegate: connection)
        }
    }

    fileprivate func returned(_ connection: StreamConnection) -> Bool {
        idle.withLockedValue { idle in
            guard idle.count < Self.idleLimit else { return false }
            idle.append(connection)
            return true
        }
    }

    fileprivate func removed(_ connection: StreamConnection) {
        idle.withLockedValue { $0.removeAll { $0 === connection } }
    }
}

/// A connection that carries at most one stream at a time.
final class StreamConnection: ClientConnectionDelegate {
    /// How long a cancelled call may take to reply; then the connection is closed.
    static let cancelTimeout = TimeAmount.milliseconds(500)

    /// The connection, or whether nobody listens.
    typealias OnDialled = @Sendable (StreamConnection?, _ isAbsent: Bool) -> Void

    private struct State {
        var onDialled: OnDialled?
        var outbox: Outbox?
        var call: (id: UInt64, queue: EventQueue)?
    }

    private let pool: StreamPool
    private let state: NIOLockedValueBox<State>

    fileprivate init(pool: StreamPool, onDialled: @escaping OnDialled) {
        self.pool = pool
        state = NIOLockedValueBox(State(onDialled: onDialled))
    }

    /// False when the connection is gone.
    fileprivate func begin(_ id: UInt64, _ frame: ByteBuffer, _ queue: EventQueue) -> Bool {
        let outbox = state.withLockedValue { state in
            if state.outbox != nil { state.call = (id, queue) }
            return state.outbox
        }
        guard let outbox else { return false }
        queue.onDrained { outbox.channel.read() }
        return outbox.send(frame)
    }

    fileprivate func cancel(_ id: UInt64) {
        guard let outbox = state.withLockedValue({ $0.call?.id == id ? $0.outbox : nil }) else { return }
        outbox.send(Frame.cancel(id: id))
        outbox.channel.eventLoop.scheduleTask(in: Self.cancelTimeout) {
            if self.state.withLockedValue({ $0.call?.id == id }) { self.close() }
        }
    }

    fileprivate func close() { state.withLockedValue { $0.outbox }?.channel.close(promise: nil) }

    func connected(_ outbox: Outbox, to peer: InstanceID) {
        let onDialled = state.withLockedValue { state in
            state.outbox = outbox
            defer { state.onDialled = nil }
            return state.onDialled
        }
        onDialled?(self, false)
    }

    func received(_ frame: Frame) throws(CallError) -> Bool {
        switch frame {
        case .event(let id, let event):
            guard let call = state.withLockedValue({ $0.call }), call.id == id else { return true }
            return call.queue.push(event)
        case .result(let id, let json): end(id, .success(json))
        case .error(let id, let error): end(id, .failure(error))
        case .hello, .request, .cancel: throw CallError(.protocolViolation, "a server sent no answer")
        }
        return true
    }

    func disconnected(isAbsent: Bool) {
        let (call, onDialled) = state.withLockedValue { state in
            defer { state = State() }
            return (state.call, state.onDialled)
        }
        pool.removed(self)
        onDialled?(nil, isAbsent)
        call?.queue.finish(.failure(CallError(.connectionLost, "the service went away during the call")))
    }

    private func end(_ id: UInt64, _ outcome: Result<ByteBuffer, CallError>) {
        let queue = state.withLockedValue { state -> EventQueue? in
            guard state.call?.id == id else { return nil }
            defer { state.call = nil }
            return state.call?.queue
        }
        guard let queue else { return }
        // Back in the pool first: whoever is woken by the end may open the next stream at once.
        if !pool.returned(self) { close() }
        queue.finish(outcome)
    }
}
