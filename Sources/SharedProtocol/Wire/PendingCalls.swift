import NIOCore

/// The unary calls of one client that have no answer yet, and the state of its connection. A pure value: it decides, its
/// owner acts.
struct PendingCalls<Waiter: Sendable>: Sendable {
    /// Calls that may wait for an answer at once, per peer; more are refused as `busy`.
    static var limit: Int { 10_000 }
    /// How long a call waits for a peer that is away.
    static var awayLimit: TimeAmount { .seconds(2) }

    private enum Link: Sendable {
        case down
        case dialling
        case up(Outbox)
        case closed
    }

    private struct Pending: Sendable {
        var frame: ByteBuffer
        var isIdempotent: Bool
        var deadline: NIODeadline
        /// Since when it waits to be written; nil once it has been.
        var unwrittenSince: NIODeadline?
        var waiter: Waiter
    }

    private var link = Link.down
    private var calls: [UInt64: Pending] = [:]
    private var lastID: UInt64 = 0
    /// Failed attempts to connect, one after the other.
    private var failures = 0

    var isEmpty: Bool { calls.isEmpty }

    mutating func nextID() -> UInt64 {
        lastID += 1
        return lastID
    }

    enum AddAction {
        case send(Outbox)
        case dial
        case wait
        case refuse(CallError)
    }

    mutating func add(
        _ id: UInt64, _ frame: ByteBuffer, isIdempotent: Bool, deadline: NIODeadline, now: NIODeadline, _ waiter: Waiter
    ) -> AddAction {
        if calls.count >= Self.limit { return .refuse(CallError(.busy, "too many calls are waiting")) }
        var call = Pending(
            frame: frame, isIdempotent: isIdempotent, deadline: deadline, unwrittenSince: now, waiter: waiter)
        switch link {
        case .closed: return .refuse(CallError(.unavailable, "the client is closed"))
        case .up(let outbox):
            call.unwrittenSince = nil
            calls[id] = call
            return .send(outbox)
        case .down:
            link = .dialling
            calls[id] = call
            return .dial
        case .dialling:
            calls[id] = call
            return .wait
        }
    }

    /// The frames that have waited for the connection.
    mutating func connected(_ outbox: Outbox) -> [ByteBuffer] {
        if case .closed = link { return [] }
        link = .up(outbox)
        failures = 0
        let waiting = calls.filter { $0.value.unwrittenSince != nil }.sorted { $0.key < $1.key }
        for (id, _) in waiting { calls[id]?.unwrittenSince = nil }
        return waiting.map(\.value.frame)
    }

    /// Calls that were written and must not be sent again fail; the others wait for the next connection.
    /// `redialAfter` is nil when nobody waits.
    mutating func disconnected(now: NIODeadline) -> (failed: [Waiter], redialAfter: TimeAmount?) {
        if case .closed = link { return ([], nil) }
        let lost = calls.filter { $0.value.unwrittenSince == nil && !$0.value.isIdempotent }
        for id in lost.keys { calls[id] = nil }
        for id in calls.keys where calls[id]?.unwrittenSince == nil { calls[id]?.unwrittenSince = now }
        failures += 1
        link = calls.isEmpty ? .down : .dialling
        let delay = TimeAmount.milliseconds(Int64(min(50, 1 << min(failures - 1, 6))))
        return (lost.map(\.value.waiter), calls.isEmpty ? nil : delay)
    }

    mutating func answered(_ id: UInt64) -> Waiter? { calls.removeValue(forKey: id)?.waiter }

    /// Takes out the calls that have waited long enough.
    mutating func expired(now: NIODeadline) -> [(Waiter, CallError)] {
        var expired: [(Waiter, CallError)] = []
        for (id, call) in calls {
            if let since = call.unwrittenSince, now >= min(call.deadline, since + Self.awayLimit) {
                expired.append((call.waiter, CallError(.unavailable, "the service cannot be reached")))
            } else if now >= call.deadline {
                expired.append((call.waiter, CallError(.deadlineExceeded, "the service did not answer in time")))
            } else {
                continue
            }
            calls[id] = nil
        }
        return expired
    }

    mutating func close() -> (Outbox?, [Waiter]) {
        defer {
            link = .closed
            calls = [:]
        }
        if case .up(let outbox) = link { return (outbox, calls.values.map(\.waiter)) }
        return (nil, calls.values.map(\.waiter))
    }
}
