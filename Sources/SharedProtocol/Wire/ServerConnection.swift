import Glibc
import Logging
import NIOConcurrencyHelpers
import NIOCore

/// One accepted connection: reads requests, runs each in a task of its own, and sends what the tasks produce.
final class ServerConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// Unary calls that may run at once for one connection; above it nothing more is read until one ends.
    static let callLimit = 4096
    /// Room for a peer's hello, in bytes: all that is read at first.
    static let helloSize = 128

    private let hello: ByteBuffer
    private let calls: CallTable
    private let all: ServerConnections
    private let log: Logger
    private let outbox: Outbox
    private let running: RunningCalls
    private var frames = FrameDecoder()
    private var peer: InstanceID?
    /// Held, so that a connection on which a stream runs keeps no other buffer; a busy one shall use its buffers again.
    private var firstRead: ByteBuffer?

    init(_ channel: any Channel, hello: ByteBuffer, calls: CallTable, all: ServerConnections, log: Logger) {
        self.hello = hello
        self.calls = calls
        self.all = all
        self.log = log
        outbox = Outbox(channel)
        running = RunningCalls(on: EventLoopExecutor(channel.eventLoop))
    }

    func channelActive(context: ChannelHandlerContext) {
        all.opened(outbox)
        guard PeerCredentials.areTrusted(on: context.channel) else {
            log.warning("a connection from another user was refused")
            context.close(promise: nil)
            return
        }
        outbox.send(hello)
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        if peer == nil { firstRead = firstRead ?? bytes }
        do {
            try frames.feed(bytes) { try receive(try Frame(parsing: $0)) }
        } catch {
            log.warning("a connection was closed: \(error)")
            context.close(promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if running.mayRead(limit: Self.callLimit) { context.read() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) { outbox.writabilityChanged() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelInactive(context: ChannelHandlerContext) {
        outbox.close()
        running.cancelStreams()
        all.closed(outbox)
    }

    private func receive(_ frame: Frame) throws(CallError) {
        switch frame {
        case .hello(let hello):
            guard hello.version == Frame.version else {
                throw CallError(.protocolViolation, "the peer speaks version \(hello.version) of the protocol")
            }
            peer = hello.instance
        case .request(let request):
            guard let peer else { throw CallError(.protocolViolation, "a request came before the hello") }
            begin(request, from: peer)
        case .cancel(let id): running.cancelStream(id)
        case .event, .result, .error: throw CallError(.protocolViolation, "a client sent an answer")
        }
    }

    private func begin(_ request: Frame.Request, from peer: InstanceID) {
        // A deadline of a day is as good as any longer one, and keeps hostile numbers from overflowing.
        let timeout = TimeAmount.milliseconds(min(max(request.deadlineMs, 0), 86_400_000))
        let context = CallContext(request: request.request, deadline: .now() + timeout, peer: peer)
        switch calls.entries[request.method] {
        case .unary(let answer):
            firstRead = nil
            running.run(on: outbox, in: all) { await answer(request.id, request.params, context) }
        case .streaming(let answer):
            // Nothing of what runs as long as the stream does holds the frame that the request came in.
            let (id, answer) = (request.id, answer(request.id, request.params, CallBody(request.body)))
            let turn = SenderTurn(on: outbox.channel.eventLoop)
            let sink = EventSink { [outbox] event async throws(CallError) in
                guard outbox.send(try Frame.event(id: id, event)) else {
                    throw CallError(.connectionLost, "the caller left")
                }
                await outbox.room()
                await turn.eventSent()
            }
            running.runStream(id, on: outbox, in: all) { await answer(context, sink) }
        case nil:
            outbox.send(Frame.failure(id: request.id, CallError(.unknownMethod, "\(request.method) is unknown here")))
        }
    }
}

/// The calls of one connection that have not been answered yet.
private final class RunningCalls: Sendable {
    private struct State {
        var count = 0
        var isPaused = false
        /// A connection carries one stream at a time; the last one's task makes way for the next.
        var stream: (id: UInt64, task: Task<Void, Never>)?
    }

    private let state = NIOLockedValueBox(State())
    private let executor: EventLoopExecutor

    init(on executor: EventLoopExecutor) { self.executor = executor }

    /// Runs a handler in a task of its own that sends its reply.
    @discardableResult
    func run(
        on outbox: Outbox, in all: ServerConnections, _ answer: @escaping @Sendable () async -> ByteBuffer
    ) -> Task<Void, Never> {
        all.callBegan()
        state.withLockedValue { $0.count += 1 }
        return Task(executorPreference: executor) {
            outbox.send(await answer())
            if self.ended(limit: ServerConnection.callLimit) { outbox.channel.read() }
            all.callEnded()
        }
    }

    func runStream(
        _ id: UInt64, on outbox: Outbox, in all: ServerConnections,
        _ answer: @escaping @Sendable () async -> ByteBuffer
    ) {
        let task = run(on: outbox, in: all, answer)
        state.withLockedValue { $0.stream = (id, task) }
    }

    /// Whether reading had been paused and may go on.
    private func ended(limit: Int) -> Bool {
        state.withLockedValue { state in
            state.count -= 1
            guard state.isPaused, state.count < limit else { return false }
            state.isPaused = false
            return true
        }
    }

    func mayRead(limit: Int) -> Bool {
        state.withLockedValue { state in
            state.isPaused = state.count >= limit
            return !state.isPaused
        }
    }

    func cancelStream(_ id: UInt64) {
        let stream = state.withLockedValue { $0.stream }
        if stream?.id == id { stream?.task.cancel() }
    }

    func cancelStreams() { state.withLockedValue { $0.stream }?.task.cancel() }
}

/// Makes a handler that always has something to send step aside now and then. It runs on the event loop, which reads from no
/// connection, not even a cancel, as long as tasks resume each other.
private final class SenderTurn: Sendable {
    private static let eventLimit = 256
    /// Long enough that the loop finds no task that is due, and looks at its connections.
    private static let pause = TimeAmount.microseconds(200)

    private let loop: any EventLoop
    private let events = NIOLockedValueBox(0)

    init(on loop: any EventLoop) { self.loop = loop }

    func eventSent() async {
        let isOver = events.withLockedValue { events in
            events += 1
            return events % Self.eventLimit == 0
        }
        guard isOver else { return }
        await withCheckedContinuation { sender in
            // Counted from when what was sent has been written, which may take longer than the pause.
            loop.execute { self.loop.scheduleTask(in: Self.pause) { sender.resume() } }
        }
    }
}

/// Who is at the other end of a Unix socket, told by the kernel.
enum PeerCredentials {
    /// `struct ucred`, which Glibc's module does not show.
    private struct Credentials {
        var pid: pid_t = 0
        var uid: uid_t = 0
        var gid: gid_t = 0
    }

    /// The same user as ours, or root. The pid means nothing across containers.
    static func areTrusted(on channel: any Channel) -> Bool {
        guard let provider = channel as? any SocketOptionProvider else { return false }
        let credentials: EventLoopFuture<Credentials> = provider.unsafeGetSocketOption(
            level: .socket, name: .init(rawValue: SO_PEERCRED))
        var uid: uid_t?
        // Completed at once: the caller is on the channel's event loop.
        credentials.assumeIsolated().whenSuccess { uid = $0.uid }
        return uid == 0 || uid == geteuid()
    }
}
