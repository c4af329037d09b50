/// Who may use one of a number of slots, and who waits for one, in order of arrival.
struct SlotQueue<Waiter: Sendable>: Sendable {
    private var free: Int
    private let longestQueue: Int
    private var waiting: [(ticket: UInt64, waiter: Waiter)] = []
    private var tickets: UInt64 = 0

    init(slots: Int, longestQueue: Int) {
        free = slots
        self.longestQueue = longestQueue
    }

    enum Outcome {
        case taken
        /// The number takes the waiter back, by `remove`.
        case waits(UInt64)
        /// Too many wait already.
        case full
    }

    /// - Returns: whether there was one. It is to be released.
    mutating func takeFree() -> Bool {
        guard free > 0 else { return false }
        free -= 1
        return true
    }

    /// Takes a slot, or has the waiter wait until `release` or `remove` hands it back.
    mutating func take(or waiter: Waiter) -> Outcome {
        if takeFree() { return .taken }
        guard waiting.count < longestQueue else { return .full }
        tickets += 1
        waiting.append((tickets, waiter))
        return .waits(tickets)
    }

    /// - Returns: who has the slot now.
    mutating func release() -> Waiter? {
        guard !waiting.isEmpty else {
            free += 1
            return nil
        }
        return waiting.removeFirst().waiter
    }

    /// - Returns: the waiter, if it still waited.
    mutating func remove(_ ticket: UInt64) -> Waiter? {
        guard let index = waiting.firstIndex(where: { $0.ticket == ticket }) else { return nil }
        return waiting.remove(at: index).waiter
    }
}
