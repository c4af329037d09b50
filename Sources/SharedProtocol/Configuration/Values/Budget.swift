/// How many tokens a pool may hold and how it fills: one entry of a group's budgets.
public struct Budget: Sendable, Hashable, Codable {
    public var max: Limit
    /// Tokens added per hour; 0 adds none.
    public var refresh: TokenCount
    /// Tokens that a pool begins with; never more than `max`, and 0 without a limit, where it means nothing.
    public var starting: TokenCount

    /// The most that `max` and `starting` may be: sums of many stay far from the end of 64 bits.
    public static let mostTokens = TokenCount(1_000_000_000_000_000)
    public static let mostRefresh = TokenCount(1_000_000_000_000)

    public init(max: Limit, refresh: TokenCount, starting: TokenCount) {
        self.max = max
        self.refresh = refresh
        self.starting = starting
    }

    /// Whether the numbers are such as the configuration takes.
    public var isWithinLimits: Bool {
        let most: TokenCount
        switch max {
        case .unlimited: most = Self.mostTokens
        case .tokens(let tokens): most = tokens
        }
        return 0...Self.mostTokens ~= most && 0...most ~= starting && 0...Self.mostRefresh ~= refresh
    }

    /// The most that a pool can hold.
    public enum Limit: Sendable, Hashable, Codable {
        /// 0 means no access.
        case tokens(TokenCount)
        case unlimited
    }
}

extension Budget {
    /// Reads `{max, refresh, starting}`; nothing if a problem was reported.
    init?(_ section: ConfigurationSection) {
        let max = section.require("max", .budgetLimit)
        let refresh = section.read("refresh", .tokens(upTo: Budget.mostRefresh), default: 0)
        let starting = section.read("starting", .tokens(upTo: Budget.mostTokens))
        section.finish()
        guard let max else { return nil }
        switch max {
        case .unlimited:
            self.init(max: max, refresh: refresh, starting: starting ?? 0)
        case .tokens(let most):
            if let starting, starting > most {
                section.complain("starting", "\(starting) is more than max, which is \(most); a pool never holds that")
            }
            self.init(max: max, refresh: refresh, starting: starting ?? most)
        }
    }
}

extension ScalarFormat where Value == Budget.Limit {
    /// `unlimited`, its older spelling -2, or a number of tokens.
    static var budgetLimit: Self {
        ScalarFormat("a whole number of tokens from 0 to \(Budget.mostTokens), or “unlimited”") { scalar in
            if scalar.text == "unlimited" || scalar.text == "-2" { return .unlimited }
            return ScalarFormat<TokenCount>.tokens(upTo: Budget.mostTokens).parse(scalar).map(Budget.Limit.tokens)
        }
    }
}
