import SharedProtocol

/// What a ledger does before it reserves anything: it takes up what was stored, and hears what was not.
extension Book {
    /// Takes up the reservations that have a row. Their owners have a lease from now on, to say what they hold.
    mutating func takeUp(_ stored: [RequestID: Reservation], of owners: [InstanceID], uptime: Int64) {
        savedOwners = Set(owners)
        for owner in owners { _ = leases.renew(owner, at: uptime) }
        for reservation in stored.values { _ = leases.renew(reservation.owner, at: uptime) }
        reservations = stored
        for request in stored.keys {
            reservations[request]?.isStored = true
            reservations[request]?.isUnconfirmed = true
        }
        var claims: [PoolKey: [(RequestID, TokenCount)]] = [:]
        for (request, reservation) in stored {
            for hold in reservation.holds { claims[hold.pool, default: []].append((request, hold.tokens)) }
        }
        for key in pools.keys {
            let before = pools[key]
            let held = pools[key]?.takeUp(claims[key, default: []].map(\.1)) ?? []
            for (claim, tokens) in zip(claims[key, default: []], held) where tokens < claim.1 {
                reservations[claim.0]?.lower(key, to: tokens)
            }
            if pools[key] != before { unsaved.pools.insert(key) }
        }
    }
}

extension Reservation {
    /// A pool could not give what the row says.
    fileprivate mutating func lower(_ pool: PoolKey, to tokens: TokenCount) {
        let holds = holds.map { $0.pool == pool ? Hold(pool: pool, tokens: tokens) : $0 }
        var lowered = Reservation(
            owner: owner, bill: bill, holds: holds, allowance: min(allowance, tokens), grant: grant, started: started,
            progress: progress)
        lowered.isStored = isStored
        lowered.isUnconfirmed = isUnconfirmed
        self = lowered
    }
}

/// Holds new reserves back after a start until every owner that is known to have lived has said what it holds.
struct StartBarrier: Sendable {
    /// How long an owner that says nothing is waited for: a living one is back within a fraction of this, and a reserve that
    /// is held back still has its answer in time.
    static let longest = Duration.seconds(2)

    private var awaited: Set<InstanceID>

    init(_ owners: [InstanceID]) { awaited = Set(owners) }

    var isOpen: Bool { awaited.isEmpty }

    mutating func heard(_ owner: InstanceID) { awaited.remove(owner) }

    mutating func open() { awaited = [] }
}
