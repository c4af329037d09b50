#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A day in UTC, `2026-11-24`: what usage is summed by.
public struct CalendarDay: Identifier, Comparable {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    /// Formats: better not done for each event.
    public init(_ time: Timestamp) {
        let date = Date(timeIntervalSince1970: Double(time.rawValue) / 1000)
        self.init(rawValue: date.formatted(.iso8601.year().month().day()))
    }

    public var month: Month { Month(rawValue: String(rawValue.prefix(7))) }

    public static func < (a: CalendarDay, b: CalendarDay) -> Bool { a.rawValue < b.rawValue }
}

/// A month in UTC, `2026-11`.
public struct Month: Identifier, Comparable {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    /// Reads what a person may have typed.
    public init?(text: String) {
        guard text.wholeMatch(of: /[0-9]{4}-(0[1-9]|1[0-2])/) != nil else { return nil }
        self.init(rawValue: text)
    }

    public static func < (a: Month, b: Month) -> Bool { a.rawValue < b.rawValue }
}
