import SharedProtocol

/// The clock of a pool's refill: after t milliseconds `refresh·t/3,600,000` tokens, nothing lost between two readings,
/// because the fraction of a token is carried. A clock that goes back accrues nothing.
struct Accrual: Sendable, Equatable {
    private(set) var until: Timestamp
    /// The fraction of a token that is carried, in 1/3,600,000.
    private(set) var remainder: Int64

    private static let millisecondsPerHour: Int64 = 3_600_000

    init(until: Timestamp, remainder: Int64) {
        self.until = until
        self.remainder = remainder
    }

    /// Time passes that does not accrue.
    mutating func skip(to now: Timestamp) {
        until = max(until, now)
    }

    /// The tokens that came until `now`, at most `room`; a full pool carries no fraction.
    mutating func advance(to now: Timestamp, refresh: TokenCount, room: TokenCount) -> TokenCount {
        let elapsed = now.rawValue - until.rawValue
        guard elapsed > 0 else { return 0 }
        until = now
        guard refresh > 0 else { return 0 }
        // 10¹² tokens an hour over a few months exceed 64 bits.
        let total = Int128(refresh.rawValue) * Int128(elapsed) + Int128(remainder)
        let tokens = total / Int128(Self.millisecondsPerHour)
        guard tokens < Int128(room.rawValue) else {
            remainder = 0
            return room
        }
        remainder = Int64(total % Int128(Self.millisecondsPerHour))
        return TokenCount(Int64(tokens))
    }

    /// How long after `until` a pool will have gained `tokens`, in milliseconds, rounded up; nil: never.
    func milliseconds(toGain tokens: TokenCount, refresh: TokenCount) -> Int64? {
        guard refresh > 0 else { return nil }
        let missing = Int128(tokens.rawValue) * Int128(Self.millisecondsPerHour) - Int128(remainder)
        let hourly = Int128(refresh.rawValue)
        return Int64(clamping: (max(0, missing) + hourly - 1) / hourly)
    }
}
