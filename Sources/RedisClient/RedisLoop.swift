import CHiredis
import Glibc
import NIOCore
import SharedProtocol

/// Keeps one connection to Redis and runs the script on it. Everything here happens on one thread; others come in by the
/// inbox. hiredis has no asynchronous time-outs: they are kept here.
final class RedisLoop {
    private let inbox: RedisInbox
    private let address: RedisAddress
    private let script: String
    private let epoll: Int32

    private var connection: RedisConnection?
    /// Redis' name for the script; nil until the connection is set up.
    private var digest: String?
    /// Since when the connection has been waiting for any answer.
    private var quietSince = NIODeadline.now()
    private var nextAttempt = NIODeadline.now()
    private var backoff = RedisClient.shortestBackoff
    /// In the order of their deadlines; those before `firstWaiting` have been dealt with.
    private var waiting: [WaitingCall] = []
    private var firstWaiting = 0
    private var now = NIODeadline.now()

    init?(_ inbox: RedisInbox, _ address: RedisAddress, _ script: String) {
        self.inbox = inbox
        self.address = address
        self.script = script
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        if epoll < 0 { return nil }
        var event = epoll_event()
        event.events = EPOLLIN.rawValue | EPOLLET.rawValue
        event.data.fd = inbox.descriptor
        if epoll_ctl(epoll, EPOLL_CTL_ADD, inbox.descriptor, &event) != 0 {
            Glibc.close(epoll)
            return nil
        }
    }

    func run() {
        var events = [epoll_event](repeating: epoll_event(), count: 2)
        var batch = RedisInbox.Batch()
        while !batch.isStopping {
            let count = epoll_wait(epoll, &events, 2, waitMilliseconds())
            now = .now()
            for event in events.prefix(Int(max(0, count))) where event.data.fd != inbox.descriptor {
                connection?.handle(event.events)
            }
            batch = inbox.drain()
            for call in batch.calls { begin(call) }
            keepConnection()
            connection?.flush()
            expire()
        }
        shutDown(batch)
    }

    private func waitMilliseconds() -> Int32 {
        var deadline = connection == nil ? nextAttempt : .distantFuture
        if let connection, connection.unanswered > 0 || digest == nil {
            deadline = min(deadline, quietSince + RedisClient.silenceLimit)
        }
        if firstWaiting < waiting.count { deadline = min(deadline, waiting[firstWaiting].deadline) }
        if deadline == .distantFuture { return -1 }
        return Int32(clamping: max(0, ((deadline - .now()).nanoseconds + 999_999) / 1_000_000))
    }

    private func shutDown(_ batch: RedisInbox.Batch) {
        connection?.close()
        connection = nil
        let last = inbox.close()
        for call in waiting[firstWaiting...] { call.end(.failure(.away("it was closed"))) }
        for call in last.calls { call.continuation.resume(returning: .failure(.away("it was closed"))) }
        Glibc.close(epoll)
        for continuation in batch.stopping + last.stopping { continuation.resume() }
    }
}

/// A call that the script is being run for.
private final class WaitingCall {
    let tail: RedisCommand
    let deadline: NIODeadline
    private var continuation: CheckedContinuation<Result<[Int], RedisError>, Never>?

    var hasEnded: Bool { continuation == nil }

    init(_ call: RedisCall) {
        tail = call.tail
        deadline = call.deadline
        continuation = call.continuation
    }

    /// Only the first time counts: an answer may come after the time-out.
    func end(_ result: Result<[Int], RedisError>) {
        continuation?.resume(returning: result)
        continuation = nil
    }
}

// Calls.
extension RedisLoop {
    private func begin(_ call: RedisCall) {
        let waiting = WaitingCall(call)
        guard let connection, let digest, !connection.hasEnded else {
            return waiting.end(.failure(.away("the connection was lost")))
        }
        if call.deadline <= now { return waiting.end(.failure(.timedOut)) }
        guard connection.unanswered < RedisClient.callLimit else { return waiting.end(.failure(.overloaded)) }
        if connection.unanswered == 0 { quietSince = now }
        self.waiting.append(waiting)
        connection.send(RedisCommand(["EVALSHA", digest]) + waiting.tail) { self.answered(waiting, $0, mayLoad: true) }
    }

    private func answered(_ call: WaitingCall, _ reply: RedisReply, mayLoad: Bool) {
        quietSince = now
        switch reply {
        case .integers(let integers): call.end(.success(integers))
        case .error(let message) where mayLoad && message.hasPrefix("NOSCRIPT"):
            // Redis has forgotten its scripts. A call that has been given up is not counted after all.
            if call.hasEnded { return }
            connection?.send(RedisCommand(["EVAL", script]) + call.tail) { self.answered(call, $0, mayLoad: false) }
        case .error(let message): call.end(.failure(.refused(message)))
        case .text, .other: call.end(.failure(.refused("it answers with something else")))
        case .lost: call.end(.failure(.away("the connection was lost")))
        }
    }

    /// Ends the calls whose time is over.
    private func expire() {
        let now = NIODeadline.now()
        while firstWaiting < waiting.count, waiting[firstWaiting].hasEnded || waiting[firstWaiting].deadline <= now {
            waiting[firstWaiting].end(.failure(.timedOut))
            firstWaiting += 1
        }
        guard firstWaiting == waiting.count || firstWaiting >= RedisClient.callLimit else { return }
        waiting.removeFirst(firstWaiting)
        firstWaiting = 0
    }
}

// The connection's life.
extension RedisLoop {
    private func keepConnection() {
        if let connection {
            if connection.hasEnded {
                lose(connection.problem ?? "the connection was lost")
            } else if (connection.unanswered > 0 || digest == nil) && quietSince + RedisClient.silenceLimit <= now {
                lose("it does not answer")
            }
        } else if nextAttempt <= now {
            connect()
        }
    }

    private func connect() {
        let connection = RedisConnection(to: address, epoll: epoll)
        self.connection = connection
        now = .now()
        quietSince = now
        if connection.hasEnded { return lose(connection.problem ?? "no connection") }
        if case .tcp(_, let password, let database) = address {
            if let password { setUp(RedisCommand(["AUTH", password.reveal()])) }
            if database != 0 { setUp(RedisCommand(["SELECT", "\(database)"])) }
        }
        setUp(RedisCommand(["SCRIPT", "LOAD", script])) { [self] digest in
            self.digest = digest
            backoff = RedisClient.shortestBackoff
            inbox.set(isReady: true, problem: nil)
        }
    }

    /// Sends a command of the set-up; any other answer than a text makes the connection useless.
    private func setUp(_ command: RedisCommand, then next: @escaping (String) -> Void = { _ in }) {
        guard let connection else { return }
        connection.send(command) { [self] reply in
            quietSince = now
            // What is told of the first command that failed is told to the operator.
            guard connection === self.connection else { return }
            switch reply {
            case .text(let text): next(text)
            case .error(let message): lose(message)
            case .integers, .other: lose("it answers with something else")
            case .lost: break
            }
        }
    }

    /// Gives the connection up. The next attempt is made after a while that grows.
    private func lose(_ problem: String) {
        inbox.set(isReady: false, problem: problem)
        digest = nil
        nextAttempt = now + backoff
        backoff = min(backoff * 2, RedisClient.longestBackoff)
        let lost = connection
        connection = nil
        lost?.close()
    }
}
