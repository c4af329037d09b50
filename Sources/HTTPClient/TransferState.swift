import NIOCore

/// What the loop's thread and the reader of one transfer share. A value behind a lock; it does nothing itself, each
/// method says what is to be done.
struct TransferState {
    /// Bytes that may wait for the reader. Above it the transfer is paused, and TCP holds the backend back.
    static let bufferLimit = 256 * 1024

    typealias Waiter = CheckedContinuation<Void, Never>

    private var head: HTTPResponseHead?
    private var buffer = ByteBuffer()
    private var isPaused = false
    private var isDiscarding = false
    private var end: End?
    private var waiter: Waiter?

    enum End: Equatable {
        case complete
        case failed(HTTPClientError)
    }

    var hasEnded: Bool { end != nil }
}

// The loop's side.
extension TransferState {
    mutating func received(_ head: HTTPResponseHead) {
        self.head = head
    }

    enum ReceiveAction { case taken, pause, refuse }

    mutating func received(_ bytes: UnsafeRawBufferPointer) -> ReceiveAction {
        if end != nil { return .refuse }
        if isDiscarding { return .taken }
        if buffer.readableBytes >= Self.bufferLimit {
            isPaused = true
            return .pause
        }
        buffer.writeBytes(bytes)
        return .taken
    }

    /// The first end holds.
    mutating func ended(_ end: End) {
        if self.end == nil { self.end = end }
    }

    /// The reader to wake, now that something has come.
    mutating func takeWaiter() -> Waiter? {
        defer { waiter = nil }
        return waiter
    }
}

// The reader's side.
extension TransferState {
    enum HeadAction {
        case head(HTTPResponseHead)
        case failed(HTTPClientError)
        case wait
    }

    func takeHead() -> HeadAction {
        if let head { return .head(head) }
        switch end {
        case .failed(let error): return .failed(error)
        case .complete: return .failed(.invalidResponse("no status line"))
        case nil: return .wait
        }
    }

    enum BytesAction {
        case bytes(ByteBuffer, unpauses: Bool)
        case end
        case failed(HTTPClientError)
        case wait
    }

    mutating func takeBytes() -> BytesAction {
        if buffer.readableBytes > 0 {
            defer { isPaused = false }
            return .bytes(exchange(&buffer, with: ByteBuffer()), unpauses: isPaused)
        }
        switch end {
        case .complete: return .end
        case .failed(let error): return .failed(error)
        case nil: return .wait
        }
    }

    /// False: there is something to take already. There is one reader, so one waiter.
    mutating func wait(_ waiter: Waiter) -> Bool {
        if buffer.readableBytes > 0 || end != nil { return false }
        precondition(self.waiter == nil, "a response has one reader")
        self.waiter = waiter
        return true
    }

    /// Whether there is anything to cancel, and the reader to wake. What is being discarded ends by itself.
    mutating func cancel() -> (isRunning: Bool, waiter: Waiter?) {
        if end != nil || isDiscarding { return (false, nil) }
        end = .failed(.cancelled)
        buffer = ByteBuffer()
        return (true, takeWaiter())
    }

    /// Whether there is anything left to discard.
    mutating func discardRest() -> Bool {
        buffer = ByteBuffer()
        isPaused = false
        isDiscarding = true
        return end == nil
    }

    private func exchange(_ value: inout ByteBuffer, with new: ByteBuffer) -> ByteBuffer {
        defer { value = new }
        return value
    }
}
