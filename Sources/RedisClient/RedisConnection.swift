import CHiredis
import Glibc
import SharedProtocol

/// One connection of hiredis' asynchronous kind, driven by epoll. Used by the loop's thread only.
final class RedisConnection {
    /// Nil when the connection has ended: hiredis frees it by itself.
    private var context: UnsafeMutablePointer<redisAsyncContext>?
    private let epoll: Int32
    private let descriptor: Int32
    /// What hiredis waits for, and what epoll watches for.
    private var wanted: UInt32 = 0
    private var registered: UInt32 = 0
    private(set) var isConnected = false
    /// Commands without an answer.
    private(set) var unanswered = 0
    /// Why it ended, or could not be made.
    private(set) var problem: String?

    var hasEnded: Bool { context == nil }

    /// Begins to connect. May block for the look-up of the host's name.
    init(to address: RedisAddress, epoll: Int32) {
        self.epoll = epoll
        let context =
            switch address {
            case .tcp(let place, _, _): redisAsyncConnect(place.unbracketedHost, Int32(place.port))
            case .unix(let path): redisAsyncConnectUnix(path)
            }
        descriptor = context?.pointee.c.fd ?? -1
        guard let context, context.pointee.err == 0 else {
            problem = context.map(Self.message) ?? "out of memory"
            if let context { redisAsyncFree(context) }
            return
        }
        self.context = context
        installHooks(on: context)
    }

    /// Sends the command with the next `flush`. The answer comes exactly once, `lost` at the latest when the connection
    /// ends.
    func send(_ command: RedisCommand, _ answered: @escaping (RedisReply) -> Void) {
        guard let context else { return answered(.lost) }
        let handler = Unmanaged.passRetained(ReplyHandler(self, answered))
        unanswered += 1
        let isTaken = command.write(
            to: context,
            { _, reply, argument in
                guard let argument else { return }
                Unmanaged<ReplyHandler>.fromOpaque(argument).takeRetainedValue().answer(RedisReply(reply))
            }, handler.toOpaque())
        if !isTaken { handler.takeRetainedValue().answer(.lost) }
    }

    /// The descriptor is ready for these of epoll's events.
    func handle(_ events: UInt32) {
        let isBroken = events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0
        if isBroken || events & EPOLLIN.rawValue != 0, wanted & EPOLLIN.rawValue != 0, let context {
            redisAsyncHandleRead(context)
        }
        if isBroken || events & EPOLLOUT.rawValue != 0, wanted & EPOLLOUT.rawValue != 0, let context {
            redisAsyncHandleWrite(context)
        }
    }

    /// Writes what is to be sent, all of it at once, and watches for what hiredis waits for.
    func flush() {
        // Before the connection is there, a write would take it for made.
        if isConnected, wanted & EPOLLOUT.rawValue != 0, let context { redisAsyncHandleWrite(context) }
        guard !hasEnded, registered != wanted else { return }
        var event = epoll_event()
        event.events = wanted
        event.data.fd = descriptor
        _ = epoll_ctl(epoll, registered == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, descriptor, &event)
        registered = wanted
    }

    /// Ends the connection; commands without an answer are lost. Must be called before the connection is let go of.
    func close() {
        if let context { redisAsyncFree(context) }
    }

    /// hiredis holds it until the answer, and lets go of all when the connection ends.
    private final class ReplyHandler {
        private let connection: RedisConnection
        private let answered: (RedisReply) -> Void

        init(_ connection: RedisConnection, _ answered: @escaping (RedisReply) -> Void) {
            self.connection = connection
            self.answered = answered
        }

        func answer(_ reply: RedisReply) {
            connection.unanswered -= 1
            answered(reply)
        }
    }
}

// What hiredis calls.
extension RedisConnection {
    /// The connection outlives its context, so hiredis' pointer to it is unretained.
    private func installHooks(on context: UnsafeMutablePointer<redisAsyncContext>) {
        let this = Unmanaged.passUnretained(self).toOpaque()
        context.pointee.data = this
        context.pointee.ev.data = this
        context.pointee.ev.addRead = { RedisConnection.of($0)?.wanted |= EPOLLIN.rawValue }
        context.pointee.ev.delRead = { RedisConnection.of($0)?.wanted &= ~EPOLLIN.rawValue }
        context.pointee.ev.addWrite = { RedisConnection.of($0)?.wanted |= EPOLLOUT.rawValue }
        context.pointee.ev.delWrite = { RedisConnection.of($0)?.wanted &= ~EPOLLOUT.rawValue }
        context.pointee.ev.cleanup = { RedisConnection.of($0)?.forgetContext() }
        redisAsyncSetConnectCallback(context) { context, status in
            RedisConnection.of(context?.pointee.data)?.isConnected = status == REDIS_OK
        }
    }

    private static func of(_ argument: UnsafeMutableRawPointer?) -> RedisConnection? {
        argument.map { Unmanaged<RedisConnection>.fromOpaque($0).takeUnretainedValue() }
    }

    /// hiredis is about to close the descriptor and free the context.
    private func forgetContext() {
        guard let context else { return }
        if context.pointee.err != 0 { problem = Self.message(of: context) }
        if registered != 0 { _ = epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, nil) }
        registered = 0
        wanted = 0
        isConnected = false
        self.context = nil
    }

    private static func message(of context: UnsafeMutablePointer<redisAsyncContext>) -> String {
        guard let message = context.pointee.errstr else { return "error \(context.pointee.err)" }
        return String(cString: message)
    }
}
