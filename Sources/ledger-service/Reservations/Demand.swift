import SharedProtocol

/// What a request asks of its pools.
struct Demand: Sendable {
    /// What it can cost at most.
    let most: TokenCount
    /// The least for which it can be run: the most that the prompt can cost, and one token of each output.
    let least: TokenCount
    private let promptBound: TokenCount
    let outputs: Int64
    let outputLimit: TokenCount

    /// More than any request can cost, and small enough that sums of it do not overflow.
    static let ceiling: Int64 = 1_000_000_000_000_000

    /// Nil: a negative number.
    init?(_ call: Ledger.Reserve) {
        let numbers = [call.promptBound.rawValue, call.outputs, call.outputLimit.rawValue]
        guard numbers.allSatisfy({ $0 >= 0 }) else { return nil }
        let (product, overflow) = call.outputs.multipliedReportingOverflow(by: call.outputLimit.rawValue)
        let output = overflow ? Self.ceiling : min(product, Self.ceiling)
        let prompt = min(call.promptBound.rawValue, Self.ceiling)
        most = TokenCount(min(prompt + output, Self.ceiling))
        least = TokenCount(min(prompt + min(call.outputs, output), Self.ceiling))
        promptBound = TokenCount(prompt)
        outputs = call.outputs
        outputLimit = call.outputLimit
    }

    enum Verdict: Sendable, Equatable {
        /// So much of every limited pool's balance is reserved, and is the most that the request may be billed.
        case grant(Ledger.Grant)
        /// Only other live requests hold what is missing.
        case wait
        case refuse(Ledger.Refusal)
    }

    /// What pools that are up to date answer together: each must have room, or nothing is reserved of any.
    func verdict(of pools: [(key: PoolKey, pool: Pool)], mayWait: Bool) -> Verdict {
        let limited = pools.filter { $0.pool.terms?.max != nil }
        guard let tightest = limited.min(by: { $0.pool.balance < $1.pool.balance }), most > tightest.pool.balance else {
            return .grant(Ledger.Grant(reserved: most, outputLimit: outputLimit))
        }
        if mayWait, limited.allSatisfy({ most <= $0.pool.balance + $0.pool.reserved }) { return .wait }
        if least <= tightest.pool.balance {
            return .grant(lowered(toFit: tightest.pool.balance, of: tightest.key.holder.limitedBy))
        }
        return .refuse(
            Ledger.Refusal(
                reason: .insufficient, limitedBy: tightest.key.holder.limitedBy, remaining: tightest.pool.balance,
                retryAfterMs: waitMs(limited.map(\.pool)), needed: least, max: tightest.pool.terms?.max))
    }

    /// When all of the pools will have gained enough; nil: never.
    private func waitMs(_ pools: [Pool]) -> Int64? {
        var longest: Int64 = 0
        for pool in pools where least > pool.balance {
            guard let terms = pool.terms, let max = terms.max, least <= max,
                let wait = pool.accrual.milliseconds(toGain: least - pool.balance, refresh: terms.refresh)
            else { return nil }
            longest = Swift.max(longest, wait)
        }
        return longest
    }

    /// Everything that is left, with the limit lowered to what the prompt leaves at the very least: an estimate of the
    /// prompt would have dense ones served for nothing.
    private func lowered(toFit left: TokenCount, of holder: Ledger.LimitedBy) -> Ledger.Grant {
        guard outputs > 0 else { return Ledger.Grant(reserved: left, outputLimit: outputLimit) }
        let each = (left - promptBound).rawValue / outputs
        guard each < outputLimit.rawValue else { return Ledger.Grant(reserved: left, outputLimit: outputLimit) }
        return Ledger.Grant(reserved: left, outputLimit: TokenCount(each), limitedBy: holder)
    }
}
