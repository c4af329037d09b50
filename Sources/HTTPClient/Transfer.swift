import NIOCore
import Synchronization

/// One request and its response on their way: where the loop's thread and the reader meet.
final class Transfer: Sendable {
    private let state = Mutex(TransferState())
    private let inbox: Inbox

    /// The handle that the transfer runs on. Touched by the loop's thread only.
    nonisolated(unsafe) var handle: EasyHandle?

    init(_ inbox: Inbox) {
        self.inbox = inbox
    }

    func head() async throws(HTTPClientError) -> HTTPResponseHead {
        while true {
            switch state.withLock({ $0.takeHead() }) {
            case .head(let head): return head
            case .failed(let error): throw error
            case .wait: await wait()
            }
        }
    }

    func bytes() async throws(HTTPClientError) -> ByteBuffer? {
        while true {
            switch state.withLock({ $0.takeBytes() }) {
            case .bytes(let bytes, let unpauses):
                if unpauses { inbox.submit(.unpause(self)) }
                return bytes
            case .end: return nil
            case .failed(let error): throw error
            case .wait: await wait()
            }
        }
    }

    func cancel() {
        let (isRunning, waiter) = state.withLock { $0.cancel() }
        if isRunning { inbox.submit(.cancel(self)) }
        waiter?.resume()
    }

    func discardRest() {
        if state.withLock({ $0.discardRest() }) { inbox.submit(.discard(self)) }
    }

    private func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                if !state.withLock({ $0.wait(waiter) }) { waiter.resume() }
            }
        } onCancel: {
            cancel()
        }
    }
}

// The loop's side.
extension Transfer {
    var hasEnded: Bool { state.withLock { $0.hasEnded } }

    func received(_ head: HTTPResponseHead) {
        state.withLock { $0.received(head) }
    }

    func received(_ bytes: UnsafeRawBufferPointer) -> TransferState.ReceiveAction {
        state.withLock { $0.received(bytes) }
    }

    /// The reader learns of it with the next `wake`.
    func ended(_ end: TransferState.End) {
        state.withLock { $0.ended(end) }
    }

    func wake() {
        state.withLock { $0.takeWaiter() }?.resume()
    }
}
