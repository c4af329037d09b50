import HTTPTypes
import Hummingbird
import SharedProtocol

/// One value in a file for spreadsheets.
enum CSVCell: Sendable, Hashable, ExpressibleByStringLiteral {
    /// What may come from a person or a configuration.
    case text(String)
    case number(Int64)
    case dollars(NanoDollars)
    case time(Timestamp)

    init(stringLiteral text: String) { self = .text(text) }

    static func tokens(_ count: TokenCount) -> CSVCell { .number(count.rawValue) }
}

/// Comma-separated values as RFC 4180 has them: lines end with CR LF, quotes are doubled.
enum CSVText {
    static func line(_ cells: [CSVCell]) -> String {
        cells.map(written).joined(separator: ",") + "\r\n"
    }

    private static func written(_ cell: CSVCell) -> String {
        switch cell {
        case .text(let text): quoted(harmless(text))
        case .number(let number): String(number)
        case .dollars(let money): money.decimal
        case .time(let time): time.rfc3339
        }
    }

    /// Spreadsheets take text that begins so for a formula and run it, with whatever its author likes in it. The apostrophe
    /// makes it text, at the price of one more character.
    private static func harmless(_ text: String) -> String {
        guard let first = text.unicodeScalars.first, "=+-@\t\r\n".unicodeScalars.contains(first) else { return text }
        return "'" + text
    }

    private static func quoted(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { ",\"\r\n".unicodeScalars.contains($0) }) else { return text }
        return "\"" + text.replacing("\"", with: "\"\"") + "\""
    }
}

extension NanoDollars {
    /// US dollars with all nine decimals: `0.001200000`.
    var decimal: String {
        let (whole, rest) = rawValue.magnitude.quotientAndRemainder(dividingBy: 1_000_000_000)
        return (rawValue < 0 ? "-" : "") + "\(whole)." + String(String(rest + 1_000_000_000).dropFirst())
    }
}

extension Site {
    /// A file to keep.
    ///
    /// - Parameter name: of letters, digits, `-` and `.`.
    static func csv(_ name: String, _ body: ResponseBody) -> Response {
        Response(
            status: .ok,
            headers: [
                .contentType: "text/csv; charset=utf-8", .cacheControl: "no-store",
                .contentDisposition: "attachment; filename=\"\(name)\"",
            ],
            body: body)
    }

    static func csv(_ name: String, _ lines: [[CSVCell]]) -> Response {
        csv(name, ResponseBody(byteBuffer: ByteBuffer(string: lines.map(CSVText.line).joined())))
    }
}
