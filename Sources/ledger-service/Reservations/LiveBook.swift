import NIOCore
import SharedProtocol
import Synchronization

/// The book behind its lock, and the callers that wait for a decision. Every step takes microseconds and never waits.
final class LiveBook: Sendable {
    private struct State {
        var book: Book
        var callers: [RequestID: [CheckedContinuation<Book.ReserveOutcome, Never>]] = [:]
    }

    private let state: Mutex<State>
    private let clock: @Sendable () -> Moment

    init(_ book: Book, clock: @escaping @Sendable () -> Moment) {
        state = Mutex(State(book: book))
        self.clock = clock
    }

    /// Takes a step at this moment, then tells the callers whose requests it decided.
    func step<T: Sendable>(_ body: (inout Book, Moment) -> T) -> T {
        let (result, due) = state.withLock { state in
            let result = body(&state.book, clock())
            return (result, Self.takeDue(&state))
        }
        for (caller, outcome) in due { caller.resume(returning: outcome) }
        return result
    }

    /// Reserves; suspends while the request waits in its pool's line, at most `Book.longestWait`.
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
