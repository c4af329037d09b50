import NIOConcurrencyHelpers
import NIOCore
import SharedProtocol

/// Tells other services the current revocation revision: at once, at each change, and every 300 ms, so that silence too
/// means something.
final class RevocationFeed: Sendable {
    static let heartbeat = TimeAmount.milliseconds(300)

    private struct State {
        var revision: Int64
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var nextWaiter: UInt64 = 0
    }

    private let state: NIOLockedValueBox<State>
    private let timers: any EventLoopGroup

    init(_ revision: Int64, timers: any EventLoopGroup) {
        state = NIOLockedValueBox(State(revision: revision))
        self.timers = timers
    }

    /// Sends until the caller leaves or its deadline passes.
    func stream(to events: EventSink, until deadline: NIODeadline) async throws(CallError) -> Done {
        while !Task.isCancelled, NIODeadline.now() < deadline {
            let revision = state.withLockedValue(\.revision)
            var event = ByteBuffer()
            try event.writeJSON(Auth.Revision(revision: revision))
            try await events.send(event)
            await change(after: revision)
        }
        return Done()
    }

    /// A change was committed. Two changes may arrive here in either order; the later one counts.
    func advance(to revision: Int64) {
        let waiters = state.withLockedValue { state in
            state.revision = max(state.revision, revision)
            defer { state.waiters = [:] }
            return state.waiters.values
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Returns when the revision is no longer this one, when the heartbeat is due, or when the task is cancelled.
    private func change(after revision: Int64) async {
        let id = state.withLockedValue { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        let timer = timers.next().scheduleTask(in: Self.heartbeat) { self.wake(id) }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let mustWait = state.withLockedValue { state in
                    guard state.revision == revision else { return false }
                    state.waiters[id] = continuation
                    return true
                }
                if !mustWait { continuation.resume() }
                // A cancellation that came before the waiter was there has found no one to wake.
                if Task.isCancelled { wake(id) }
            }
        } onCancel: {
            wake(id)
        }
        timer.cancel()
    }

    private func wake(_ id: UInt64) { state.withLockedValue { $0.waiters.removeValue(forKey: id) }?.resume() }
}
