import Glibc

/// Quantities with their unit in the type. All are a JSON integer on the wire.

/// A number of model tokens, prompt and completion alike.
public struct TokenCount: Identifier, Comparable, AdditiveArithmetic, ExpressibleByIntegerLiteral {
    public let rawValue: Int64
    public init(rawValue: Int64) { self.rawValue = rawValue }
    public init(integerLiteral value: Int64) { rawValue = value }

    public static let zero = TokenCount(0)
    public static func < (a: TokenCount, b: TokenCount) -> Bool { a.rawValue < b.rawValue }
    public static func + (a: TokenCount, b: TokenCount) -> TokenCount { TokenCount(a.rawValue + b.rawValue) }
    public static func - (a: TokenCount, b: TokenCount) -> TokenCount { TokenCount(a.rawValue - b.rawValue) }
}

/// Money for display: 10⁻⁹ USD. Integers, because sums of usage must not depend on their order.
public struct NanoDollars: Identifier, Comparable, AdditiveArithmetic, ExpressibleByIntegerLiteral {
    public let rawValue: Int64
    public init(rawValue: Int64) { self.rawValue = rawValue }
    public init(integerLiteral value: Int64) { rawValue = value }

    public static let zero = NanoDollars(0)
    public static func < (a: NanoDollars, b: NanoDollars) -> Bool { a.rawValue < b.rawValue }
    public static func + (a: NanoDollars, b: NanoDollars) -> NanoDollars { NanoDollars(a.rawValue + b.rawValue) }
    public static func - (a: NanoDollars, b: NanoDollars) -> NanoDollars { NanoDollars(a.rawValue - b.rawValue) }
}

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
public struct Timestamp: Identifier, Comparable {
    public let rawValue: Int64
    public init(rawValue: Int64) { self.rawValue = rawValue }

    public static func < (a: Timestamp, b: Timestamp) -> Bool { a.rawValue < b.rawValue }

    /// The system's clock, which can be set back: good for records, not for measuring.
    public static func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}
