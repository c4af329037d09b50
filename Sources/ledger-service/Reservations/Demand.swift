import SharedProtocol

/// What a request asks of its pool.
struct Demand: Sendable {
    /// What it can cost at most.
    let most: TokenCount
    /// The least for which running it makes sense: the prompt's estimate and one token of each output.
    let least: TokenCount
    let promptEstimate: TokenCount
    let outputs: Int64
    let outputLimit: TokenCount

    /// More than any request can cost, and small enough that sums of it do not overflow.
    static let ceiling: Int64 = 1_000_000_000_000_000

    /// Nil: a negative number.
    init?(_ call: Ledger.Reserve) {
        let numbers = [
            call.promptBound.rawValue, call.promptEstimate.rawValue, call.outputs, call.outputLimit.rawValue,
        ]
        guard numbers.allSatisfy({ $0 >= 0 }) else { return nil }
        let (product, overflow) = call.outputs.multipliedReportingOverflow(by: call.outputLimit.rawValue)
        let output = overflow ? Self.ceiling : min(product, Self.ceiling)
        let prompt = min(call.promptBound.rawValue, Self.ceiling)
        let estimate = min(call.promptEstimate.rawValue, prompt)
        most = TokenCount(min(prompt + output, Self.ceiling))
        least = TokenCount(min(estimate + min(call.outputs, output), Self.ceiling))
        promptEstimate = TokenCount(estimate)
        outputs = call.outputs
        outputLimit = call.outputLimit
    }

    enum Verdict: Sendable, Equatable {
        /// `held` of the balance is reserved; `allowance` is the most that the request may be billed.
        case grant(Ledger.Grant, held: TokenCount, allowance: TokenCount)
        /// Only other live requests hold what is missing.
        case wait
        case refuse(Ledger.Refusal)
    }

    /// What a pool that is up to date answers.
    func verdict(of pool: Pool, mayWait: Bool) -> Verdict {
        guard let terms = pool.terms, let max = terms.max else {
            return .grant(Ledger.Grant(reserved: most, outputLimit: outputLimit), held: 0, allowance: most)
        }
        if most <= pool.balance {
            return .grant(Ledger.Grant(reserved: most, outputLimit: outputLimit), held: most, allowance: most)
        }
        if mayWait, most <= pool.balance + pool.reserved { return .wait }
        if least <= pool.balance {
            return .grant(lowered(toFit: pool.balance), held: pool.balance, allowance: pool.balance)
        }
        return .refuse(
            Ledger.Refusal(
                reason: .insufficient, limitedBy: .user, remaining: pool.balance,
                retryAfterMs: least > max
                    ? nil : pool.accrual.milliseconds(toGain: least - pool.balance, refresh: terms.refresh)))
    }

    /// Everything that is left, with a limit for which the estimate still fits.
    private func lowered(toFit left: TokenCount) -> Ledger.Grant {
        guard outputs > 0 else { return Ledger.Grant(reserved: left, outputLimit: outputLimit) }
        let each = (left - promptEstimate).rawValue / outputs
        guard each < outputLimit.rawValue else { return Ledger.Grant(reserved: left, outputLimit: outputLimit) }
        return Ledger.Grant(reserved: left, outputLimit: TokenCount(each), limitedBy: .user)
    }
}
