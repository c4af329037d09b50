import NIOConcurrencyHelpers
import NIOCore

/// Frames on their way out of one channel. Any thread may send; what all of them send within one turn of the event loop
/// leaves in one system call.
final class Outbox: Sendable {
    /// Above this many unwritten bytes `room()` waits. The kernel's socket buffer holds about 200 KiB more.
    static let highWaterBytes = 64 << 10

    private struct State {
        var frames: [ByteBuffer] = []
        var bytes = 0
        var isFlushScheduled = false
        var isWritable = true
        var isClosed = false
        var waiters: [CheckedContinuation<Void, Never>] = []

        var hasRoom: Bool { isClosed || (isWritable && bytes < Outbox.highWaterBytes) }

        mutating func waitersIfRoom() -> [CheckedContinuation<Void, Never>] {
            guard hasRoom else { return [] }
            defer { waiters = [] }
            return waiters
        }
    }

    let channel: any Channel
    private let state = NIOLockedValueBox(State())

    init(_ channel: any Channel) { self.channel = channel }

    /// Queues the frame without waiting; false when the channel is closed.
    @discardableResult
    func send(_ frame: ByteBuffer) -> Bool {
        let (isOpen, mustSchedule) = state.withLockedValue { state in
            guard !state.isClosed else { return (false, false) }
            state.frames.append(frame)
            state.bytes += frame.readableBytes
            defer { state.isFlushScheduled = true }
            return (true, !state.isFlushScheduled)
        }
        if mustSchedule { channel.eventLoop.execute { self.flush() } }
        return isOpen
    }

    /// Waits while the peer reads more slowly than we send; returns at once when the channel is closed.
    func room() async {
        if state.withLockedValue({ $0.hasRoom }) { return }
        await withCheckedContinuation { continuation in
            let hasRoom = state.withLockedValue { state in
                if !state.hasRoom { state.waiters.append(continuation) }
                return state.hasRoom
            }
            if hasRoom { continuation.resume() }
        }
    }

    /// On the event loop: the channel's own buffer crossed its water marks.
    func writabilityChanged() {
        let isWritable = channel.isWritable
        let waiters = state.withLockedValue { state in
            state.isWritable = isWritable
            return state.waitersIfRoom()
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Nothing is sent any more; whoever waits for room goes on and learns it at the next send.
    func close() {
        let waiters = state.withLockedValue { state in
            state.isClosed = true
            state.frames = []
            return state.waitersIfRoom()
        }
        for waiter in waiters { waiter.resume() }
    }

    private func flush() {
        let frames = state.withLockedValue { state in
            defer {
                state.frames = []
                state.bytes = 0
                state.isFlushScheduled = false
            }
            return state.frames
        }
        for frame in frames { channel.write(frame, promise: nil) }
        channel.flush()
        writabilityChanged()
    }
}
