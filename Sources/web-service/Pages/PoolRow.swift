import SharedProtocol

/// One pool, for `/usage`, the admins' pages and the chat's head.
struct PoolRow: Sendable, Codable, Hashable {
    /// What the pool is for, in words, or the model that it is for.
    var label: String
    /// The pool's name, or the group's whose members share it.
    var name: String
    var isShared: Bool
    var isUnlimited: Bool
    var balance: String
    var max: String
    var refill: String
    /// When it will be full; absent when it is, or never will be.
    var fullIn: String?
    /// How long the next token takes at most; only told of an empty pool.
    var nextIn: String?
    var reserved: String?
    /// How full it is, 0 to 100.
    var percent: Int
    /// Where an admin can reset it.
    var resetPath: String?

    init(_ pool: Ledger.Pool) {
        isShared = pool.holder == .group
        label =
            switch (isShared, pool.name) {
            case (true, let group): "Shared by everyone in “\(group)”"
            case (false, "default"): "All models without a budget of their own"
            case (false, let model): model
            }
        name = pool.name
        isUnlimited = pool.balance == nil
        balance = pool.balance?.grouped ?? "unlimited"
        max = pool.max?.grouped ?? "unlimited"
        refill = pool.refresh > .zero ? "\(pool.refresh.grouped) an hour" : "none"
        let missing = Self.missing(pool)
        fullIn = missing > 0 ? Self.time(toGain: missing, pool.refresh)?.inWords : nil
        nextIn = missing > 0 && pool.balance == .zero ? Self.time(toGain: 1, pool.refresh)?.inWords : nil
        reserved = pool.reserved > .zero ? pool.reserved.grouped : nil
        let share = Double(pool.balance?.rawValue ?? 1) / Double(Swift.max(1, pool.max?.rawValue ?? 1))
        percent = Swift.min(100, Swift.max(0, Int(share * 100)))
    }

    /// The tokens that fit in: what running requests hold counts as there, as it does for the ledger.
    private static func missing(_ pool: Ledger.Pool) -> TokenCount {
        guard let balance = pool.balance, let max = pool.max else { return 0 }
        return max - balance - pool.reserved
    }

    /// Nothing when the pool does not fill, or not in a time worth telling.
    private static func time(toGain tokens: TokenCount, _ refresh: TokenCount) -> Duration? {
        guard refresh > .zero else { return nil }
        let (seconds, overflows) = tokens.rawValue.multipliedReportingOverflow(by: 3_600)
        if overflows { return nil }
        let rounded = seconds / refresh.rawValue + (seconds % refresh.rawValue > 0 ? 1 : 0)
        return rounded <= longestToldSeconds ? .seconds(rounded) : nil
    }

    /// Ten years.
    private static let longestToldSeconds: Int64 = 315_360_000
}

/// The pools of somebody, or that they cannot be told.
struct PoolList: Sendable {
    var pools: [PoolRow]
    var hasPools: Bool
    var isUnavailable: Bool
    /// What stands there when there are none.
    var emptyText: String

    /// - Parameters:
    ///   - sheet: nil when the ledger cannot say.
    ///   - managed: the user whose pools they are, when an admin looks at them; nil for one's own.
    init(_ sheet: Ledger.BalanceSheet?, managed: UserID? = nil) {
        pools = (sheet?.pools ?? []).map { pool in
            var row = PoolRow(pool)
            if let managed, !row.isUnlimited { row.resetPath = Self.resetPath(pool, of: managed) }
            return row
        }
        hasPools = !pools.isEmpty
        isUnavailable = sheet == nil
        emptyText =
            managed == nil
            ? "You have no token budget. Ask the people who run this site." : "This user has no token budget."
    }

    private static func resetPath(_ pool: Ledger.Pool, of user: UserID) -> String {
        pool.holder == .group
            ? GroupName(pool.name).adminPath + "/reset"
            : "/admin/users/\(user)/reset?pool=\(pool.name.percentEncoded)"
    }
}
