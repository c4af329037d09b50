import NIOConcurrencyHelpers
import NIOCore

/// The caller's side of a streaming call. One task reads it.
public final class EventStream<Reply: WireValue>: Sendable {
    private let queue: EventQueue
    private let onCancel: @Sendable () -> Void
    private let onAbandon: @Sendable () -> Void

    init(
        _ queue: EventQueue, onCancel: @escaping @Sendable () -> Void, onAbandon: @escaping @Sendable () -> Void
    ) {
        self.queue = queue
        self.onCancel = onCancel
        self.onAbandon = onAbandon
    }

    deinit {
        if !queue.isFinished { onAbandon() }
    }

    /// All that has arrived, at least one event; empty after the last one. Throws when the call failed.
    public func next() async throws(CallError) -> [ByteBuffer] {
        let events = await queue.next()
        if events.isEmpty { try checkOutcome() }
        return events
    }

    // Not inlined: a task that waits for events would keep the room for it.
    @inline(never)
    private func checkOutcome() throws(CallError) { _ = try queue.outcome.get() }

    /// The reply, once `next()` has returned no events.
    public var reply: Reply {
        get throws(CallError) { try queue.outcome.get().decodeJSON(Reply.self) }
    }

    /// Ends the call early. The server still replies, with what it had done: read on until `next()` returns no events.
    public func cancel() { onCancel() }
}

/// Events between the thread that receives them and the task that reads them. It is bounded because its producer stops
/// when told to: at most `highWaterBytes` and what one read brought.
final class EventQueue: Sendable {
    static let highWaterBytes = 64 << 10

    private struct State {
        var events: [ByteBuffer] = []
        var bytes = 0
        var outcome: Result<ByteBuffer, CallError>?
        var reader: CheckedContinuation<[ByteBuffer], Never>?
        var isPaused = false
        var resumeProducer: (@Sendable () -> Void)?
    }

    private let state = NIOLockedValueBox(State())

    /// - Parameter resumeProducer: called when the queue was full and has been emptied.
    func onDrained(_ resumeProducer: @escaping @Sendable () -> Void) {
        state.withLockedValue { $0.resumeProducer = resumeProducer }
    }

    var isFinished: Bool { state.withLockedValue { $0.outcome != nil } }

    /// The reply's JSON, or why there is none.
    var outcome: Result<ByteBuffer, CallError> {
        state.withLockedValue { $0.outcome } ?? .failure(CallError(.internalError, "the call has not ended yet"))
    }

    /// Adds an event; false when the producer must stop until it is resumed.
    func push(_ event: ByteBuffer) -> Bool {
        let (reader, hasRoom) = state.withLockedValue { state -> (CheckedContinuation<[ByteBuffer], Never>?, Bool) in
            if state.outcome != nil { return (nil, true) }
            if let reader = state.reader {
                state.reader = nil
                return (reader, true)
            }
            state.events.append(event)
            state.bytes += event.readableBytes
            state.isPaused = state.bytes >= Self.highWaterBytes
            return (nil, !state.isPaused)
        }
        reader?.resume(returning: [event])
        return hasRoom
    }

    /// The first end counts.
    func finish(_ outcome: Result<ByteBuffer, CallError>) {
        let reader = state.withLockedValue { state in
            if state.outcome == nil { state.outcome = outcome }
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume(returning: [])
    }

    func next() async -> [ByteBuffer] {
        await withCheckedContinuation { continuation in
            let (events, resumeProducer) = state.withLockedValue { state -> ([ByteBuffer]?, (@Sendable () -> Void)?) in
                if state.events.isEmpty && state.outcome == nil {
                    state.reader = continuation
                    return (nil, nil)
                }
                defer {
                    state.events = []
                    state.bytes = 0
                    state.isPaused = false
                }
                return (state.events, state.isPaused ? state.resumeProducer : nil)
            }
            resumeProducer?()
            if let events { continuation.resume(returning: events) }
        }
    }
}
