import SharedProtocol

/// What one transaction of the journal writes, and what it will mean once it is on disk.
struct Commit: Sendable {
    /// Requests that end with it.
    var settlements: [Settlement] = []
    /// Their pools as they will be, and others whose rows were behind.
    var pools: [PoolKey: Pool] = [:]
    /// Set when the budgets changed.
    var clocks: BudgetClocks?
    /// What the callers are told when it succeeded.
    var answers: [RequestID: Result<Ledger.Receipt, CallError>] = [:]
    /// Requests that came without a reservation and were given one for the time of the commit.
    var late: [RequestID] = []

    /// How many pools are written beside those of the posts.
    static let mostUnsavedPools = 2000

    var isEmpty: Bool { settlements.isEmpty && pools.isEmpty && clocks == nil }
}

/// How one request is billed.
struct Settlement: Sendable {
    var request: RequestID
    var bill: Bill
    var usage: Ledger.Usage
    /// Of the usage, which for a correction is the difference.
    var receipt: Ledger.Receipt
    /// Of all that was billed for the request.
    var answer: Ledger.Receipt
    var isCorrection: Bool
    /// Nil when no pool pays.
    var pool: PoolKey?
    var held: TokenCount
    /// What the pool loses: what is billed, or nothing when it is unlimited.
    var charged: TokenCount
    /// What did not go back because the pool's maximum was lowered.
    var cut: TokenCount
}

/// What the journal already has of a request.
struct Recorded: Sendable, Equatable {
    var prompt: TokenCount
    var completion: TokenCount
    var receipt: Ledger.Receipt
    /// Billed at its last progress, without its owner's word, and not corrected since.
    var mayBeCorrected: Bool
}

extension Ledger.Receipt {
    static func + (a: Ledger.Receipt, b: Ledger.Receipt) -> Ledger.Receipt {
        Ledger.Receipt(billed: a.billed + b.billed, writtenOff: a.writtenOff + b.writtenOff, cost: a.cost + b.cost)
    }
}

extension Ledger.Usage {
    /// More than one request can use. Backends report what they like; sums must not overflow.
    static let mostTokens: TokenCount = 1_000_000_000

    /// The same with counts that can be trusted to be sums' parts.
    var plausible: Ledger.Usage {
        var usage = self
        usage.prompt = min(max(0, prompt), Self.mostTokens)
        usage.completion = min(max(0, completion), Self.mostTokens)
        return usage
    }

    var total: TokenCount { prompt + completion }
}
