import NIOConcurrencyHelpers
import NIOCore

/// Calls one service instance over its socket. Unary calls are pipelined over one connection that is made when needed and
/// made again when it breaks; each running stream has a connection of its own, taken from a pool of idle ones.
///
/// Errors: `unavailable` when the peer stays away for 2 s, `deadlineExceeded`, `connectionLost` when a call that must not be
/// repeated was under way as the connection broke, `busy`, and whatever the peer answers.
public final class CallClient: Caller {
    /// How often waiting calls are checked against their deadlines, which bounds how late a time-out can be.
    static let sweepInterval = TimeAmount.milliseconds(20)

    private typealias Waiter = CheckedContinuation<Result<ByteBuffer, CallError>, Never>
    private struct State: Sendable {
        var calls = PendingCalls<Waiter>()
        var isSweeping = false
    }

    private let path: String
    private let loop: any EventLoop
    private let hello: ByteBuffer
    private let streams: StreamPool
    private let state = NIOLockedValueBox(State())
    private let assertions: @Sendable () -> [any Call]

    /// Connects at the first call.
    ///
    /// - Parameters:
    ///   - returns: whether a peer that is away may come back at this path. If not, a stream is not opened as soon as nobody
    ///     listens there, else within 2 s.
    ///   - assertions: idempotent calls that go out first on each new connection, before any that waited for it: what
    ///     the peer has to know again when it was restarted. Nobody waits for their answers.
    public init(
        to path: String, as identity: ServiceIdentity, on group: any EventLoopGroup, returns: Bool = true,
        assertions: @escaping @Sendable () -> [any Call] = { [] }
    ) throws(CallError) {
        self.path = path
        self.assertions = assertions
        loop = group.next()
        hello = try Frame.hello(from: identity)
        streams = StreamPool(path: path, group: group, hello: hello, peerReturns: returns)
    }

    public func call<C: Call>(
        _ call: C, request: RequestID? = nil, timeout: Duration
    ) async throws(CallError) -> C.Reply {
        let id = state.withLockedValue { $0.calls.nextID() }
        let frame = try Frame.request(id: id, call, request: request, timeout: timeout, body: nil)
        let answer = await withCheckedContinuation { waiter in
            add(waiter, id, frame, isIdempotent: C.isIdempotent, timeout)
        }
        return try answer.get().decodeJSON(C.Reply.self)
    }

    public func open<C: StreamingCall>(
        _ call: C, body: ByteBuffer? = nil, request: RequestID? = nil, timeout: Duration
    ) async throws(CallError) -> EventStream<C.Reply> {
        let id = state.withLockedValue { $0.calls.nextID() }
        let frame = try Frame.request(id: id, call, request: request, timeout: timeout, body: body)
        return try await streams.open(id, frame)
    }

    /// Fails what waits and closes every connection.
    public func close() {
        let (outbox, waiters) = state.withLockedValue { $0.calls.close() }
        outbox?.channel.close(promise: nil)
        streams.close()
        for waiter in waiters { waiter.resume(returning: .failure(CallError(.unavailable, "the client is closed"))) }
    }

    private func add(_ waiter: Waiter, _ id: UInt64, _ frame: ByteBuffer, isIdempotent: Bool, _ timeout: Duration) {
        let now = NIODeadline.now()
        let (action, startsSweep) = state.withLockedValue { state in
            let action = state.calls.add(
                id, frame, isIdempotent: isIdempotent, deadline: now + timeout.timeAmount, now: now, waiter)
            defer { state.isSweeping = true }
            return (action, !state.isSweeping)
        }
        switch action {
        case .send(let outbox): outbox.send(frame)
        case .dial: dial()
        case .wait: break
        case .refuse(let error): waiter.resume(returning: .failure(error))
        }
        if startsSweep { scheduleSweep() }
    }

    private func dial() { ClientConnection.dial(path, on: loop, hello: hello, delegate: self) }

    private func scheduleSweep() { loop.scheduleTask(in: Self.sweepInterval) { self.sweep() } }

    /// One timer for all calls: most are answered long before their deadline, and a timer each would cost more than they.
    private func sweep() {
        let (expired, goesOn) = state.withLockedValue { state in
            let expired = state.calls.expired(now: .now())
            state.isSweeping = !state.calls.isEmpty
            return (expired, state.isSweeping)
        }
        for (waiter, error) in expired { waiter.resume(returning: .failure(error)) }
        if goesOn { scheduleSweep() }
    }
}

extension CallClient: ClientConnectionDelegate {
    func connected(_ outbox: Outbox, to peer: InstanceID) {
        for call in assertions() {
            let id = state.withLockedValue { $0.calls.nextID() }
            guard let frame = try? Frame.request(id: id, call, request: nil, timeout: .seconds(2), body: nil) else {
                preconditionFailure("what was encoded once is encoded again")
            }
            outbox.send(frame)
        }
        for frame in state.withLockedValue({ $0.calls.connected(outbox) }) { outbox.send(frame) }
    }

    func received(_ frame: Frame) throws(CallError) -> Bool {
        switch frame {
        case .result(let id, let json):
            state.withLockedValue { $0.calls.answered(id) }?.resume(returning: .success(json))
        case .error(let id, let error):
            state.withLockedValue { $0.calls.answered(id) }?.resume(returning: .failure(error))
        case .hello, .request, .event, .cancel: throw CallError(.protocolViolation, "a server sent no answer")
        }
        return true
    }

    func disconnected(isAbsent: Bool) {
        let (failed, redialAfter) = state.withLockedValue { $0.calls.disconnected(now: .now()) }
        for waiter in failed {
            waiter.resume(returning: .failure(CallError(.connectionLost, "the service went away during the call")))
        }
        if let redialAfter { loop.scheduleTask(in: redialAfter) { self.dial() } }
    }
}
