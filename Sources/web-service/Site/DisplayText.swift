import SharedProtocol

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

// How quantities are written on pages.

extension Timestamp {
    /// RFC 3339 in UTC; the browser shows it in local time.
    var rfc3339: String {
        Date(timeIntervalSince1970: Double(rawValue / 1_000)).formatted(.iso8601)
    }

    /// For browsers without script.
    var readable: String { rfc3339.replacing("T", with: " ").replacing("Z", with: " UTC") }
}

extension TokenCount {
    /// Digits in groups of three: `1 234 567`, with narrow spaces, which need no language.
    var grouped: String { Digits.grouped(rawValue) }
}

extension NanoDollars {
    /// Dollars with as many decimals as say something, two at least: `$0.0012`.
    var dollars: String {
        let sign = rawValue < 0 ? "−" : ""
        let (whole, rest) = rawValue.magnitude.quotientAndRemainder(dividingBy: 1_000_000_000)
        var decimals = String(String(rest + 1_000_000_000).dropFirst())
        while decimals.count > 2, decimals.hasSuffix("0") { decimals.removeLast() }
        return "\(sign)$\(whole).\(decimals)"
    }
}

extension NanoDollars {
    /// A sum, rounded to what matters in it: whole cents from a dollar on, else hundredths of a cent.
    var roundedDollars: String {
        let unit: Int64 = rawValue.magnitude >= 1_000_000_000 ? 10_000_000 : 100_000
        if rawValue > 0, rawValue < unit { return "< " + NanoDollars(unit).dollars }
        let (sum, overflows) = rawValue.addingReportingOverflow(unit / 2)
        return overflows ? dollars : NanoDollars(sum / unit * unit).dollars
    }
}

extension Duration {
    /// Rounded up, in a unit that says something: `90 s`, `45 min`, `3 h`, `4 days`.
    var inWords: String {
        let seconds = components.seconds + (components.attoseconds > 0 ? 1 : 0)
        for (unit, length, most) in [("s", 1, 90), ("min", 60, 90), ("h", 3_600, 48)] as [(String, Int64, Int64)] {
            let count = (seconds + length - 1) / length
            if count <= most { return "\(count) \(unit)" }
        }
        return "\((seconds + 86_399) / 86_400) days"
    }
}

extension Budget.Limit {
    /// In words.
    var text: String {
        switch self {
        case .unlimited: "no limit"
        case .tokens(.zero): "no access"
        case .tokens(let count): count.grouped
        }
    }

    /// For a log.
    var code: String {
        switch self {
        case .unlimited: "unlimited"
        case .tokens(let count): count.description
        }
    }
}

extension Budget {
    /// For the audit log.
    var auditText: String { "max \(max.code), refresh \(refresh), starting \(starting)" }
}

private enum Digits {
    static func grouped(_ value: Int64) -> String {
        let digits = String(value.magnitude)
        var text = value < 0 ? "−" : ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text.append("\u{202F}") }
            text.append(digit)
        }
        return text
    }
}
