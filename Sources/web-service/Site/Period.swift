import HTTPTypes
import SharedProtocol

/// What a report covers: one month, or all the time there has been.
enum Period: Sendable, Hashable {
    case month(Month)
    case all

    /// Reads `month` of a query; without one it is the current month.
    init(_ visit: Visit, now: Timestamp = .now()) throws(PageProblem) {
        switch visit.query("month") ?? "" {
        case "": self = .month(CalendarDay(now).month)
        case "all": self = .all
        case let text:
            guard let month = Month(text: text) else {
                throw PageProblem(.badRequest, "No such month", "A month is written as “2026-11”.")
            }
            self = .month(month)
        }
    }

    /// As the ledger is asked; absent for all months.
    var month: Month? {
        if case .month(let month) = self { return month }
        return nil
    }

    /// In addresses and names of files.
    var code: String { month?.rawValue ?? "all" }

    /// In words: `November 2026`.
    var text: String {
        guard let month, let number = Int(month.rawValue.suffix(2)), 1...12 ~= number else { return "All time" }
        return Self.names[number - 1] + " " + month.rawValue.prefix(4)
    }

    private static let names = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
        "November", "December",
    ]
}

/// A choice of months, newest first, that works without script.
struct MonthPicker: Sendable {
    /// The page that it leads to.
    var action: String
    var months: [Choice]

    struct Choice: Sendable {
        var code: String
        var text: String
        var isChosen: Bool
    }

    /// How far back the list goes; older months can be had by address.
    static let mostMonths = 36

    /// - Parameter first: before it, there is nothing to choose; nil: there is nothing but the current month.
    init(for chosen: Period, action: String, since first: Month?, now: Timestamp = .now()) {
        let last = CalendarDay(now).month
        var periods = Self.months(from: first ?? last, to: last).map(Period.month)
        if chosen != .all, !periods.contains(chosen) { periods.append(chosen) }
        self.action = action
        months = (periods + [.all]).map { Choice(code: $0.code, text: $0.text, isChosen: $0 == chosen) }
    }

    private static func months(from first: Month, to last: Month) -> [Month] {
        let numbers = last.rawValue.split(separator: "-").compactMap { Int($0) }
        guard numbers.count == 2 else { return [] }
        let newest = numbers[0] * 12 + numbers[1] - 1
        return (0..<mostMonths)
            .map { back in
                let (year, month) = (newest - back).quotientAndRemainder(dividingBy: 12)
                return Month("\(year)-\(month < 9 ? "0" : "")\(month + 1)")
            }
            .filter { $0 >= first || $0 == last }
    }
}
