import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import SharedProtocol

/// The connections of one service to PostgreSQL. A transaction takes a slot, of which there are as many as connections may
/// be open, and runs on a thread of the pool, for libpq blocks. Whoever finds no slot waits in a queue of limited length,
/// `pool_timeout` at most.
final class PostgresPool: Sendable {
    let settings: PostgresSettings
    private let limits: DatabasePoolConfiguration
    private let state: NIOLockedValueBox<State>
    private let threads: NIOThreadPool

    private struct State: Sendable {
        var slots: SlotQueue<Waiter>
        /// Not in use; the last one was used last. At most `pool_size`.
        var idle: [PostgresConnection] = []
    }

    private typealias Waiter = CheckedContinuation<CallError?, Never>

    /// Transactions that may wait for a slot.
    static let longestQueue = 1000

    init(_ settings: PostgresSettings, _ limits: DatabasePoolConfiguration) {
        self.settings = settings
        self.limits = limits
        let slots = limits.size + limits.maxOverflow
        state = NIOLockedValueBox(State(slots: SlotQueue(slots: slots, longestQueue: Self.longestQueue)))
        threads = NIOThreadPool(numberOfThreads: slots)
        threads.start()
    }

    deinit { threads.shutdownGracefully { _ in } }

    /// Runs `work` on a thread of the pool, where `take` and `giveBack` may be called, once each.
    func run<T: Sendable>(_ work: @escaping @Sendable () -> Result<T, any Error>) async -> Result<T, any Error> {
        if let refusal = await takeSlot() { return .failure(refusal) }
        let result = await withCheckedContinuation { continuation in
            threads.submit { _ in continuation.resume(returning: work()) }
        }
        state.withLockedValue { $0.slots.release() }?.resume(returning: nil)
        return result
    }

    // MARK: Slots

    /// - Returns: why there is none.
    private func takeSlot() async -> CallError? {
        var timer: Task<Void, Never>?
        defer { timer?.cancel() }
        if state.withLockedValue({ $0.slots.takeFree() }) { return nil }
        return await withCheckedContinuation { waiter in
            switch state.withLockedValue({ $0.slots.take(or: waiter) }) {
            case .taken: waiter.resume(returning: nil)
            case .waits(let ticket): timer = expiry(of: ticket)
            case .full: waiter.resume(returning: Self.full)
            }
        }
    }

    private func expiry(of ticket: UInt64) -> Task<Void, Never> {
        Task {
            guard (try? await Task.sleep(for: limits.timeout)) != nil else { return }
            state.withLockedValue { $0.slots.remove(ticket) }?.resume(returning: timedOut)
        }
    }

    private var timedOut: CallError {
        CallError(
            .busy,
            "All \(limits.size + limits.maxOverflow) connections to the database (app.db_pool) were in use for "
                + "\(limits.timeout).", retryAfterMs: 1000)
    }

    private static let full = CallError(
        .busy, "\(longestQueue) requests wait for a connection to the database already.", retryAfterMs: 1000)

    // MARK: Connections

    /// A connection that can be used until `deadline`: one that was kept, unless it is too old or does not answer to a
    /// ping (if these are configured), else a new one.
    func take(until deadline: NIODeadline) throws(PostgresError) -> (connection: PostgresConnection, isNew: Bool) {
        while let connection = state.withLockedValue({ $0.idle.popLast() }) {
            if let recycle = limits.recycle, connection.opened + TimeAmount(recycle) <= .now() { continue }
            if limits.prePing {
                connection.deadline = min(deadline, .now() + PostgresSettings.pingLimit)
                guard (try? connection.simple("")) != nil else { continue }
            }
            connection.deadline = deadline
            return (connection, false)
        }
        return (try open(until: deadline), true)
    }

    func open(until deadline: NIODeadline) throws(PostgresError) -> PostgresConnection {
        let limit = min(deadline, .now() + PostgresSettings.connectLimit)
        let connection = try PostgresConnection.open(settings, until: limit)
        try connection.beginSession(settings)
        connection.deadline = deadline
        return connection
    }

    /// Keeps the connection, or closes it: when there are enough, or when it is broken. Others that were open then are
    /// likely to be broken, too.
    func giveBack(_ connection: PostgresConnection) {
        if connection.isBroken { return closeIdle() }
        state.withLockedValue { state in
            if state.idle.count < limits.size { state.idle.append(connection) }
        }
    }

    func closeIdle() {
        let closed = state.withLockedValue { state in
            defer { state.idle = [] }
            return state.idle
        }
        withExtendedLifetime(closed) {}
    }

    /// Connections that are open and not in use.
    var idleCount: Int { state.withLockedValue { $0.idle.count } }
}
