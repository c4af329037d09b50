import CCurl
import Glibc
import NIOCore

/// Drives libcurl's multi handle from epoll. Everything here happens on one thread; others come in by the inbox.
///
/// A turn takes the ready sockets, the inbox, libcurl's timer and the finished transfers, in this order, and wakes the
/// readers last: a short response is then one wake-up for head, body and end together.
final class CurlLoop {
    /// Connections that are kept, busy and idle together; above it the longest idle one is closed.
    static let connectionLimit = 8192
    /// Easy handles that are kept for the next requests.
    static let idleHandleLimit = 256
    /// Sockets taken per turn.
    static let eventLimit: Int32 = 256
    /// How often the time-outs of running transfers are checked, in nanoseconds.
    static let sweepInterval: UInt64 = 100_000_000

    let multi: UnsafeMutableRawPointer
    let inbox: Inbox
    var sockets: SocketTable
    /// When libcurl wants to be called, in nanoseconds of the monotonic clock.
    var timer: UInt64?
    /// The monotonic clock at the begin of the turn, in nanoseconds.
    private(set) var now = NIODeadline.now().uptimeNanoseconds

    private var commands: [Inbox.Command] = []
    private var running: [EasyHandle] = []
    private var idle: [EasyHandle] = []
    private var touched: [Transfer] = []
    private var nextSweep: UInt64 = 0
    private var stopped: [CheckedContinuation<Void, Never>] = []
    private var isStopping = false

    init?(_ inbox: Inbox) {
        guard let multi = ccurl_multi_init(), let sockets = SocketTable(inbox.descriptor) else { return nil }
        self.multi = multi
        self.inbox = inbox
        self.sockets = sockets
        _ = ccurl_multi_set_long(multi, CURLMOPT_PIPELINING, Int(CURLPIPE_NOTHING))
        _ = ccurl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, Self.connectionLimit)
        installCallbacks()
    }

    func run() {
        var events = [epoll_event](repeating: epoll_event(), count: Int(Self.eventLimit))
        while !isStopping {
            let count = epoll_wait(sockets.epoll, &events, Self.eventLimit, waitMilliseconds())
            now = NIODeadline.now().uptimeNanoseconds
            for event in events.prefix(Int(max(0, count))) { act(on: event) }
            takeCommands()
            if let timer, timer <= now { act(on: CURL_SOCKET_TIMEOUT, 0) }
            takeFinished()
            if nextSweep <= now { sweep() }
            wakeReaders()
        }
        shutDown()
    }

    /// Remembers to wake the transfer's reader at the end of the turn.
    func touch(_ transfer: Transfer) {
        touched.append(transfer)
    }
}

extension CurlLoop {
    private func waitMilliseconds() -> Int32 {
        var deadline = timer ?? .max
        if !running.isEmpty { deadline = min(deadline, nextSweep) }
        if deadline == .max { return -1 }
        let now = NIODeadline.now().uptimeNanoseconds
        return deadline <= now ? 0 : Int32(clamping: (deadline - now + 999_999) / 1_000_000)
    }

    private func act(on event: epoll_event) {
        let descriptor = event.data.fd
        if descriptor == inbox.descriptor { return }
        if let directions = sockets.directions(of: event) { act(on: descriptor, directions) }
    }

    private func act(on descriptor: Int32, _ directions: Int32) {
        if descriptor == CURL_SOCKET_TIMEOUT { timer = nil }
        var count: Int32 = 0
        _ = ccurl_multi_socket_action(multi, descriptor, directions, &count)
    }

    private func takeCommands() {
        inbox.drain(into: &commands)
        for command in commands {
            switch command {
            case .start(let transfer, let request): start(transfer, request)
            case .unpause(let transfer): transfer.handle?.unpause()
            case .discard(let transfer): transfer.handle?.discard()
            case .cancel(let transfer): if let handle = transfer.handle { finish(handle, .failed(.cancelled)) }
            case .stop(let continuation):
                isStopping = true
                if let continuation { stopped.append(continuation) }
            }
        }
        commands.removeAll(keepingCapacity: true)
    }

    private func start(_ transfer: Transfer, _ request: HTTPRequest) {
        if transfer.hasEnded { return }
        if running.count >= HTTPClient.transferLimit { return fail(transfer, .overloaded) }
        guard let handle = idle.popLast() ?? EasyHandle(self) else { return fail(transfer, .overloaded) }
        if let error = handle.begin(transfer, request) {
            recycle(handle)
            return fail(transfer, error)
        }
        handle.index = running.count
        if running.isEmpty { nextSweep = now + Self.sweepInterval }
        running.append(handle)
        _ = ccurl_multi_add_handle(multi, handle.easy)
    }

    private func takeFinished() {
        var left: Int32 = 0
        while let message = ccurl_multi_info_read(multi, &left) {
            if message.pointee.msg != CURLMSG_DONE { continue }
            if let handle = EasyHandle.of(message.pointee.easy_handle) {
                finish(handle, handle.end(after: message.pointee.data.result))
            }
        }
    }

    /// Takes the handle out of libcurl, which closes the connection of a response that has not ended.
    private func finish(_ handle: EasyHandle, _ end: TransferState.End) {
        ccurl_multi_remove_handle(multi, handle.easy)
        if let last = running.popLast(), last !== handle {
            running[handle.index] = last
            last.index = handle.index
        }
        if let transfer = handle.transfer {
            transfer.ended(end)
            touch(transfer)
        }
        recycle(handle)
    }

    private func recycle(_ handle: EasyHandle) {
        handle.reset()
        if idle.count < Self.idleHandleLimit { idle.append(handle) }
    }

    private func fail(_ transfer: Transfer, _ error: HTTPClientError) {
        transfer.ended(.failed(error))
        touch(transfer)
    }

    private func sweep() {
        nextSweep = now + Self.sweepInterval
        // Backwards, because finishing one moves the last into its place.
        for index in running.indices.reversed() {
            if let phase = running[index].overduePhase(now) { finish(running[index], .failed(.timedOut(phase))) }
        }
    }

    private func wakeReaders() {
        for transfer in touched {
            transfer.handle?.isTouched = false
            transfer.wake()
        }
        touched.removeAll(keepingCapacity: true)
    }

    private func shutDown() {
        for command in inbox.close() {
            switch command {
            case .start(let transfer, _): fail(transfer, .closed)
            case .stop(let continuation?): stopped.append(continuation)
            case .stop(nil), .unpause, .discard, .cancel: break
            }
        }
        while let handle = running.last { finish(handle, .failed(.closed)) }
        wakeReaders()
        idle.removeAll()
        ccurl_multi_cleanup(multi)
        sockets.close()
        for continuation in stopped { continuation.resume() }
    }
}
