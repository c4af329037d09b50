import NIOCore
import SharedProtocol
import Synchronization

/// The book behind its lock, and the callers that wait for a decision. Every step takes microseconds and never waits.
final class LiveBook: Sendable {
    /// Reserves that wait at most until the owners have spoken after a start.
    static let mostHeldBack = 16_384

    private struct State {
        var book: Book
        var callers: [RequestID: [CheckedContinuation<Book.ReserveOutcome, Never>]] = [:]
        var barrier: StartBarrier
        /// Told whether they are refused.
        var heldBack: [CheckedContinuation<Bool, Never>] = []
    }

    private let state: Mutex<State>
    private let clock: @Sendable () -> Moment

    /// - Parameter owners: who must say what they hold before anything new is reserved.
    init(_ book: Book, awaiting owners: [InstanceID] = [], clock: @escaping @Sendable () -> Moment) {
        state = Mutex(State(book: book, barrier: StartBarrier(owners)))
        self.clock = clock
    }

    /// Takes a step at this moment, then tells the callers whose requests it decided.
    func step<T: Sendable, Failure: Error>(
        _ body: (inout Book, Moment) throws(Failure) -> T
    ) throws(Failure) -> T {
        let (result, due) = state.withLock { state in
            let moment = clock()
            state.book.uptime = moment.uptime
            let result = Result { () throws(Failure) in try body(&state.book, moment) }
            return (result, Self.takeDue(&state))
        }
        for (caller, outcome) in due { caller.resume(returning: outcome) }
        return try result.get()
    }

    /// Reserves; suspends while the request waits in its pools' lines, at most `Book.longestWait`.
    func reserve(_ call: Ledger.Reserve) async -> Book.ReserveOutcome {
        let outcome = step { book, moment in book.reserve(call, at: moment) }
        guard outcome == .waiting else { return outcome }
        return await withTaskGroup(of: Void.self) { group in
            group.addTask {
                try? await Task.sleep(for: Book.longestWait)
                // No harm if the request was decided meanwhile, which is also what ends the sleep early.
                self.step { book, moment in book.stopWaiting(call.request, at: moment.wall) }
            }
            let outcome = await self.decision(on: call.request)
            group.cancelAll()
            return outcome
        }
    }

    /// Takes up what an owner says it has reserved.
    func assert(_ call: Ledger.Assert) {
        step { book, moment in book.assert(call, at: moment) }
        open { $0.heard(call.owner) }
    }

    /// No owner is waited for any longer.
    func openBarrier() { open { $0.open() } }

    var isOpen: Bool { state.withLock(\.barrier.isOpen) }

    var heldBackCount: Int { state.withLock(\.heldBack.count) }

    /// Returns when new requests may be reserved, which after a start is a matter of milliseconds, or of
    /// `StartBarrier.longest` when a web has died with the ledger before.
    func opened() async throws(CallError) {
        let isRefused = await withCheckedContinuation { caller in
            let answer = state.withLock { state -> Bool? in
                if state.barrier.isOpen { return false }
                if state.heldBack.count >= Self.mostHeldBack { return true }
                state.heldBack.append(caller)
                return nil
            }
            if let answer { caller.resume(returning: answer) }
        }
        if isRefused { throw Book.isBusy }
    }

    private func open(_ change: (inout StartBarrier) -> Void) {
        let heldBack = state.withLock { state in
            change(&state.barrier)
            guard state.barrier.isOpen else { return [CheckedContinuation<Bool, Never>]() }
            defer { state.heldBack = [] }
            return state.heldBack
        }
        for caller in heldBack { caller.resume(returning: false) }
    }

    private func decision(on request: RequestID) async -> Book.ReserveOutcome {
        await withCheckedContinuation { caller in
            let outcome = state.withLock { state in
                let outcome = state.book.answer(to: request) ?? .failed(Book.hasEnded)
                if outcome == .waiting { state.callers[request, default: []].append(caller) }
                return outcome
            }
            if outcome != .waiting { caller.resume(returning: outcome) }
        }
    }

    private static func takeDue(
        _ state: inout State
    ) -> [(CheckedContinuation<Book.ReserveOutcome, Never>, Book.ReserveOutcome)] {
        guard !state.book.decided.isEmpty else { return [] }
        defer { state.book.decided.removeAll() }
        return state.book.decided.flatMap { request in
            let outcome = state.book.answer(to: request) ?? .failed(Book.hasEnded)
            return (state.callers.removeValue(forKey: request) ?? []).map { ($0, outcome) }
        }
    }
}

extension Moment {
    /// By the machine's clocks.
    static func now() -> Moment {
        Moment(wall: .now(), uptime: Int64(NIODeadline.now().uptimeNanoseconds / 1_000_000))
    }
}
