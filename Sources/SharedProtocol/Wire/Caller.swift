import NIOConcurrencyHelpers
import NIOCore

/// Somewhere that calls can be made: a socket (`CallClient`) or, in tests, this very process (`InProcessCaller`).
public protocol Caller: Sendable {
    /// Makes a call and waits for its answer, at most `timeout`. Cancelling the task does not shorten it.
    func call<C: Call>(_ call: C, request: RequestID?, timeout: Duration) async throws(CallError) -> C.Reply

    /// Begins a streaming call. The peer is told `timeout` and keeps to it; a peer that says nothing at all is the
    /// caller's to notice.
    func open<C: StreamingCall>(
        _ call: C, body: ByteBuffer?, request: RequestID?, timeout: Duration
    ) async throws(CallError) -> EventStream<C.Reply>
}

/// Runs calls without a socket, but through the same encoding and the same table.
public struct InProcessCaller: Caller {
    private let table: CallTable
    private let peer = InstanceID.random()

    public init(_ table: CallTable) { self.table = table }

    public func call<C: Call>(_ call: C, request: RequestID?, timeout: Duration) async throws(CallError) -> C.Reply {
        guard case .unary(let answer) = table.entries[C.method] else {
            throw CallError(.unknownMethod, "\(C.method) is not answered here")
        }
        let frame = await answer(1, try Self.encoded(call), context(request, timeout))
        return try Self.result(of: frame).get().decodeJSON(C.Reply.self)
    }

    public func open<C: StreamingCall>(
        _ call: C, body: ByteBuffer?, request: RequestID?, timeout: Duration
    ) async throws(CallError) -> EventStream<C.Reply> {
        guard case .streaming(let begin) = table.entries[C.method] else {
            throw CallError(.unknownMethod, "\(C.method) is not answered here")
        }
        let answer = begin(1, try Self.encoded(call), CallBody(body))
        let context = context(request, timeout)
        let queue = EventQueue()
        let gate = DrainGate()
        queue.onDrained { gate.open() }
        let task = Task {
            let sink = EventSink { event async throws(CallError) in
                // In this order: a cancel after the question finds the gate closed, and opens it.
                gate.close()
                if Task.isCancelled { throw CallError(.connectionLost, "the caller left") }
                if !queue.push(event) { await gate.wait() }
            }
            queue.finish(Self.result(of: await answer(context, sink)))
        }
        let cancel: @Sendable () -> Void = {
            task.cancel()
            gate.open()
        }
        return EventStream(queue, onCancel: cancel, onAbandon: cancel)
    }

    private func context(_ request: RequestID?, _ timeout: Duration) -> CallContext {
        CallContext(request: request, deadline: .now() + timeout.timeAmount, peer: peer)
    }

    private static func encoded(_ call: some Call) throws(CallError) -> ByteBuffer {
        var buffer = ByteBuffer()
        try buffer.writeJSON(call)
        return buffer
    }

    private static func result(of frame: ByteBuffer) -> Result<ByteBuffer, CallError> {
        do throws(CallError) {
            switch try Frame(parsing: frame.slice(4..<frame.readableBytes)) {
            case .result(_, let json): return .success(json)
            case .error(_, let error): return .failure(error)
            default: return .failure(CallError(.protocolViolation, "the answer is not a reply"))
            }
        } catch {
            return .failure(error)
        }
    }
}

/// Holds an in-process producer while its queue is full.
private final class DrainGate: Sendable {
    private struct State {
        var isOpen = true
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = NIOLockedValueBox(State())

    func close() { state.withLockedValue { $0.isOpen = false } }

    func open() {
        let waiter = state.withLockedValue { state in
            state.isOpen = true
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLockedValue { state in
                if !state.isOpen { state.waiter = continuation }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }
}
