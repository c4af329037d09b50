import SharedProtocol

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension CalendarDay {
    /// The moment at which a day is over, in UTC.
    ///
    /// - Parameter text: a day as a browser's date field sends it, `2026-11-24`.
    /// - Returns: nil for what is no day.
    static func end(ofTyped text: String) -> Timestamp? {
        guard text.utf8.count == 10, let date = try? Date(text, strategy: .iso8601.year().month().day()) else {
            return nil
        }
        let start = Timestamp(Int64(date.timeIntervalSince1970) * 1_000)
        // A day that its month does not have is read as one of the next month.
        guard CalendarDay(start).rawValue == text else { return nil }
        return Timestamp(start.rawValue + 86_400_000)
    }
}
