import SharedProtocol

/// Tokens of one holder: a user's for one model or for all that share the default, a group's, a key's. Pure arithmetic, with
/// the time passed in. A reservation moves tokens from `balance` to `reserved`, which changes what the pool owns by nothing; everything else
/// that changes it is an entry in the journal, so that `balance + reserved` is the sum of the pool's entries.
///
/// At every instant: `0 ≤ reserved`, `0 ≤ balance`, and `balance = 0` or `balance + reserved ≤ max`.
struct Pool: Sendable, Equatable {
    /// The row's id.
    let id: Int64
    /// What can be reserved. Of an unlimited pool: frozen.
    private(set) var balance: TokenCount
    /// What live reservations hold.
    private(set) var reserved: TokenCount
    /// Until when tokens have accrued; and the fraction of one that they left over.
    private(set) var accrual: Accrual
    /// What accrual went by when the pool was last touched; nil: it has not been.
    private(set) var terms: Terms?
    /// Whether the starting tokens were given; an unlimited pool has none until it is limited.
    private(set) var hasStarted: Bool
    /// Entries that the next commit writes.
    private(set) var unsaved = EntrySums()

    /// A pool that begins now; its clock started when the user or the budget's entry came to be.
    init(id: Int64, clock: Timestamp) {
        self.init(
            id: id, balance: 0, reserved: 0, accrual: Accrual(until: clock, remainder: 0), terms: nil,
            hasStarted: false)
    }

    /// A pool as it was stored.
    init(id: Int64, balance: TokenCount, reserved: TokenCount, accrual: Accrual, terms: Terms?, hasStarted: Bool) {
        self.id = id
        self.balance = balance
        self.reserved = reserved
        self.accrual = accrual
        self.terms = terms
        self.hasStarted = hasStarted
    }

    /// Brings the pool up to `now` and puts it under `budget`.
    ///
    /// - Parameter change: when another budget than the pool's came into force; it holds from then on. Nil: now.
    mutating func adopt(_ budget: Budget, at now: Timestamp, since change: Timestamp? = nil) {
        let new = Terms(budget)
        if let terms, terms != new { accrue(under: terms, until: Swift.min(now, change ?? now)) }
        if !hasStarted, let max = new.max {
            give(Swift.min(budget.starting, room(below: max)), as: \.granted)
            hasStarted = true
        }
        accrue(under: new, until: now)
        terms = new
        cutToMaximum()
    }

    /// Brings the pool up to `now` under the terms that it has.
    mutating func advance(to now: Timestamp) {
        if let terms { accrue(under: terms, until: now) }
    }

    /// Gives the holder what a pool begins with, whatever there is.
    mutating func reset(to starting: TokenCount) {
        guard let max = terms?.max else { return }
        let change = Swift.min(starting, Swift.max(0, max - reserved)) - balance
        balance += change
        unsaved.reset += change
    }

    /// Takes up what live reservations held when the pool was stored: each claim in turn, as far as the tokens go.
    ///
    /// - Returns: what each got.
    mutating func takeUp(_ claims: [TokenCount]) -> [TokenCount] {
        balance += reserved
        reserved = 0
        let held = claims.map { claim in
            let tokens = Swift.min(claim, balance)
            hold(tokens)
            return tokens
        }
        cutToMaximum()
        return held
    }

    /// Reserves `tokens` of the balance.
    mutating func hold(_ tokens: TokenCount) {
        precondition(0 <= tokens && tokens <= balance, "a reservation is covered by the balance")
        balance -= tokens
        reserved += tokens
    }

    /// Ends a reservation: `charged` of its tokens are gone, the others go back as far as the maximum allows. A correction,
    /// which holds nothing, may give back what an earlier end had charged: a negative number.
    ///
    /// - Returns: what the maximum cut off.
    @discardableResult
    mutating func settle(held: TokenCount, charged: TokenCount) -> TokenCount {
        precondition(0 <= held && charged <= held && held <= reserved, "what is charged was reserved")
        reserved -= held
        balance += held - charged
        return cutToMaximum()
    }

    /// Does what `settle` did to a draft of this pool that has been committed: no more goes back than was written.
    mutating func settle(held: TokenCount, charged: TokenCount, cut: TokenCount) {
        reserved -= held
        balance += held - charged - cut
        unsaved.capped -= cut
        cutToMaximum()
    }

    /// What was committed of the unsaved entries is saved.
    mutating func markSaved(_ entries: EntrySums) {
        unsaved.granted -= entries.granted
        unsaved.accrued -= entries.accrued
        unsaved.capped -= entries.capped
        unsaved.reset -= entries.reset
    }

    private mutating func accrue(under terms: Terms, until now: Timestamp) {
        guard let max = terms.max else { return accrual.skip(to: now) }
        give(accrual.advance(to: now, refresh: terms.refresh, room: room(below: max)), as: \.accrued)
    }

    private mutating func give(_ tokens: TokenCount, as entry: WritableKeyPath<EntrySums, TokenCount>) {
        balance += tokens
        unsaved[keyPath: entry] += tokens
    }

    @discardableResult
    private mutating func cutToMaximum() -> TokenCount {
        guard let max = terms?.max else { return 0 }
        let cut = balance - Swift.min(balance, Swift.max(0, max - reserved))
        balance -= cut
        unsaved.capped -= cut
        return cut
    }

    private func room(below max: TokenCount) -> TokenCount { Swift.max(0, max - reserved - balance) }
}

/// What a pool's balance goes by.
struct Terms: Sendable, Equatable {
    /// Nil: unlimited.
    var max: TokenCount?
    /// Tokens per hour.
    var refresh: TokenCount

    init(max: TokenCount?, refresh: TokenCount) {
        self.max = max
        self.refresh = refresh
    }

    init(_ budget: Budget) {
        self.init(max: budget.max.tokens, refresh: budget.refresh)
    }
}

/// Sums of entries of each kind; what is cut off is negative.
struct EntrySums: Sendable, Equatable {
    var granted: TokenCount = 0
    var accrued: TokenCount = 0
    var capped: TokenCount = 0
    /// What resets by an admin added or took.
    var reset: TokenCount = 0

    var total: TokenCount { granted + accrued + capped + reset }

    static func + (a: EntrySums, b: EntrySums) -> EntrySums {
        EntrySums(
            granted: a.granted + b.granted, accrued: a.accrued + b.accrued, capped: a.capped + b.capped,
            reset: a.reset + b.reset)
    }
}

extension Budget.Limit {
    /// Nil: unlimited.
    var tokens: TokenCount? {
        switch self {
        case .tokens(let count): count
        case .unlimited: nil
        }
    }
}
