import SharedProtocol

/// What one transaction of the journal writes, and what it will mean once it is on disk.
struct Commit: Sendable {
    /// Requests that end with it.
    var settlements: [Settlement] = []
    /// Their pools as they will be, and others whose rows were behind.
    var pools: [PoolKey: Pool] = [:]
    /// Reservations whose rows are written anew.
    var reservations: [RequestID: Reservation] = [:]
    /// Reservations whose rows are removed.
    var goneReservations: Set<RequestID> = []
    /// Set when they changed.
    var budgets: Budgets?
    /// All owners of reservations that are known to live; set when they changed.
    var owners: [InstanceID]?
    /// What the callers are told when it succeeded.
    var answers: [RequestID: Result<Ledger.Receipt, CallError>] = [:]
    /// Requests that came without a reservation and were given one for the time of the commit.
    var late: [RequestID] = []

    /// How many pools are written beside those of the posts, and how many reservations.
    static let mostUnsaved = 2000
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
    /// Empty when no pool pays.
    var charges: [Charge]

    /// What it comes to for one pool.
    struct Charge: Sendable, Equatable {
        var pool: PoolKey
        var held: TokenCount
        /// What the pool loses: what is billed, or nothing when it is unlimited. Negative: what a correction gives back.
        var charged: TokenCount
        /// What did not go back because of the pool's maximum.
        var cut: TokenCount
    }
}

/// What the journal already has of a request.
struct Recorded: Sendable, Equatable {
    var prompt: TokenCount
    var completion: TokenCount
    var receipt: Ledger.Receipt
    /// Billed at its last progress, without its owner's word, and not corrected since.
    var mayBeCorrected: Bool
    /// What pools paid for it; only if it may be corrected.
    var payments: [Payment] = []

    struct Payment: Sendable, Equatable {
        var pool: PoolKey
        var tokens: TokenCount
    }
}

extension Recorded {
    var used: TokenCount { prompt + completion }
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
