/// Reads spans of time as people write them: `90` (seconds), `0.5`, `500ms`, `30s`, `5m`, `12h`, `7d`.
public enum DurationText {
    private static let units: [(suffix: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("", 1000),
    ]

    /// Nothing when the text is no span of time, is finer than a millisecond, or is longer than ten years.
    public static func parse(_ text: String) -> Duration? {
        guard let unit = units.first(where: { text.hasSuffix($0.suffix) }),
            let number = DecimalText.parse(String(text.dropLast(unit.suffix.count)), places: 3)
        else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: unit.milliseconds)
        guard !overflow, product % 1000 == 0, product / 1000 <= 3650 * 86_400_000 else { return nil }
        return .milliseconds(product / 1000)
    }
}

/// Reads decimal text exactly, without floating point.
enum DecimalText {
    /// `12.5` with 3 places is 12 500. Nothing for a sign, an exponent, more places than that, or more than 18 digits.
    static func parse(_ text: String, places: Int) -> Int64? {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = parts.first, !whole.isEmpty, text.utf8.count <= 40 else { return nil }
        var fraction = parts.count == 2 ? parts[1] : ""
        guard parts.count == 1 || !fraction.isEmpty, (whole + fraction).utf8.allSatisfy({ 48...57 ~= $0 }) else {
            return nil
        }
        while fraction.hasSuffix("0") { fraction.removeLast() }
        guard fraction.utf8.count <= places else { return nil }
        let digits = (whole + fraction + String(repeating: "0", count: places - fraction.utf8.count))
            .drop(while: { $0 == "0" })
        guard digits.utf8.count <= 18 else { return nil }
        return digits.isEmpty ? 0 : Int64(digits)
    }
}
