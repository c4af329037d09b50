import CHiredis
import Glibc
import Synchronization

/// How callers reach the thread: a batch of calls costs one write to an eventfd. While there is no connection, nobody has
/// to wait for the thread: calls are refused here.
final class RedisInbox: Sendable {
    /// Becomes readable when a batch begins. Watched edge-triggered, so it is never read.
    let descriptor: Int32
    private let state = Mutex(State())

    struct Batch {
        var calls: [RedisCall] = []
        /// Whoever waits for the thread's end.
        var stopping: [CheckedContinuation<Void, Never>] = []
        var isStopping = false

        var isEmpty: Bool { calls.isEmpty && !isStopping }
    }

    private struct State {
        var batch = Batch()
        var isReady = false
        /// The thread has ended.
        var isClosed = false
        var problem: String?
    }

    init() throws(RedisError) {
        descriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        if descriptor < 0 { throw .cannotStart("eventfd: error \(errno)") }
    }

    deinit {
        Glibc.close(descriptor)
    }

    var isReady: Bool { state.withLock { $0.isReady } }

    /// What calls find from now on: a connection, or why there is none.
    func set(isReady: Bool, problem: String?) {
        state.withLock { state in
            state.isReady = isReady
            if let problem { state.problem = problem }
        }
    }

    func submit(_ call: RedisCall) {
        let (error, isFirst) = state.withLock { state -> (RedisError?, Bool) in
            guard state.isReady else { return (.away(state.problem), false) }
            guard state.batch.calls.count < RedisClient.callLimit else { return (.overloaded, false) }
            let isFirst = state.batch.isEmpty
            state.batch.calls.append(call)
            return (nil, isFirst)
        }
        if isFirst { eventfd_write(descriptor, 1) }
        if let error { call.continuation.resume(returning: .failure(error)) }
    }

    func stop(_ continuation: CheckedContinuation<Void, Never>?) {
        let isClosed = state.withLock { state in
            if state.isClosed { return true }
            state.isReady = false
            state.batch.isStopping = true
            if let continuation { state.batch.stopping.append(continuation) }
            return false
        }
        if isClosed { continuation?.resume() } else { eventfd_write(descriptor, 1) }
    }

    /// What has come since the last time.
    func drain() -> Batch {
        state.withLock { state in
            defer { state.batch = Batch() }
            return state.batch
        }
    }

    /// Takes nothing more and returns what came last.
    func close() -> Batch {
        state.withLock { state in
            state.isClosed = true
            state.isReady = false
            defer { state.batch = Batch() }
            return state.batch
        }
    }
}
