/// One forward pass over JSON bytes that checks them strictly (RFC 8259, UTF-8) and finds the values that matter, without
/// building a tree. The wire uses it for envelopes, web for request bodies, the router for backend events: whatever is
/// relayed verbatim has been through it, so that a frame can never be broken by what it carries.
///
/// ```swift
/// var scan = JSONScan(bytes)
/// try scan.object { key, scan throws(JSONScanError) in
///     if key == "model" { model = try scan.skip() }     // what the closure leaves untouched is skipped
/// }
/// try scan.end()
/// ```
public struct JSONScan {
    /// Deeper nesting is refused. Far beyond any real request, and it bounds what a hostile one costs.
    public static let depthLimit = 128

    let bytes: UnsafeRawBufferPointer
    /// Offset of the next unread byte.
    public private(set) var position = 0
    private var depth = 0

    /// The bytes must outlive the scan.
    public init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// What kind of value comes next, told by its first byte.
    public enum Kind { case object, array, string, number, bool, null }

    public mutating func kind() throws(JSONScanError) -> Kind {
        skipWhitespace()
        switch try byte() {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool
        case UInt8(ascii: "n"): return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        default: throw JSONScanError(at: position)
        }
    }

    /// Checks that only white space follows.
    public mutating func end() throws(JSONScanError) {
        skipWhitespace()
        if position != bytes.count { throw JSONScanError(at: position) }
    }

    /// Reads an object, handing each member to `member`; a value that `member` does not read is skipped.
    @inline(__always)
    public mutating func object(
        _ member: (JSONString, inout JSONScan) throws(JSONScanError) -> Void
    ) throws(JSONScanError) {
        try enter(UInt8(ascii: "{"))
        if try leaves(UInt8(ascii: "}")) { return }
        repeat {
            skipWhitespace()
            let key = try string()
            try expect(UInt8(ascii: ":"))
            skipWhitespace()
            let start = position
            try member(key, &self)
            if position == start { try skip() }
        } while try continues(until: UInt8(ascii: "}"))
    }

    /// Reads an array, calling `element` at each; an element that it does not read is skipped.
    @inline(__always)
    public mutating func array(
        _ element: (inout JSONScan) throws(JSONScanError) -> Void
    ) throws(JSONScanError) {
        try enter(UInt8(ascii: "["))
        if try leaves(UInt8(ascii: "]")) { return }
        repeat {
            skipWhitespace()
            let start = position
            try element(&self)
            if position == start { try skip() }
        } while try continues(until: UInt8(ascii: "]"))
    }

    /// Skips one value of any kind and returns where it stands, without the white space around it.
    @discardableResult
    public mutating func skip() throws(JSONScanError) -> Range<Int> {
        skipWhitespace()
        let start = position
        switch try kind() {
        case .string: _ = try string()
        case .number: try skipNumber()
        case .object: try object { _, scan throws(JSONScanError) in try scan.skip() }
        case .array: try array { scan throws(JSONScanError) in try scan.skip() }
        case .bool: try skipLiteral(bytes[position] == UInt8(ascii: "t") ? "true" : "false")
        case .null: try skipLiteral("null")
        }
        return start..<position
    }

    /// Reads a string.
    public mutating func string() throws(JSONScanError) -> JSONString {
        skipWhitespace()
        guard try byte() == UInt8(ascii: "\"") else { throw JSONScanError(at: position) }
        position += 1
        let start = position
        let hasEscapes = try skipStringBody()
        defer { position += 1 }
        return JSONString(
            position: start - 1, raw: UnsafeRawBufferPointer(rebasing: bytes[start..<position]), hasEscapes: hasEscapes)
    }

    /// Reads a number; nil when it is not an integer of 64 bits (`1.0`, `1e3` and `1e400` are none).
    public mutating func integer() throws(JSONScanError) -> Int64? {
        let range = try skip()
        return Int64(String(decoding: bytes[range], as: UTF8.self))
    }
}

/// The bytes are not JSON, or nested too deep.
public struct JSONScanError: Error, Hashable {
    /// Offset of the first byte that does not fit.
    public let position: Int
    /// A level beyond `JSONScan.depthLimit` begins there.
    public let isTooDeep: Bool

    init(at position: Int, isTooDeep: Bool = false) {
        self.position = position
        self.isTooDeep = isTooDeep
    }
}

/// A string of the scanned bytes, without its quotes.
public struct JSONString {
    /// Where its opening quote stands.
    public let position: Int
    /// The bytes as written, escapes and all. Valid as long as the scanned bytes are.
    public let raw: UnsafeRawBufferPointer
    public let hasEscapes: Bool

    /// Compares the text, so that an escaped spelling of a key is the same key.
    public static func == (string: JSONString, text: StaticString) -> Bool {
        if string.hasEscapes { return string.text == text.description }
        return string.raw.count == text.utf8CodeUnitCount
            && string.raw.elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// The text with escapes resolved; a lone surrogate becomes U+FFFD.
    public var text: String {
        hasEscapes ? JSONUnescape.text(of: raw) : String(decoding: raw, as: UTF8.self)
    }
}

extension JSONScan {
    private func byte() throws(JSONScanError) -> UInt8 {
        if position >= bytes.count { throw JSONScanError(at: position) }
        return bytes[position]
    }

    private mutating func skipWhitespace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }

    private mutating func expect(_ wanted: UInt8) throws(JSONScanError) {
        skipWhitespace()
        if try byte() != wanted { throw JSONScanError(at: position) }
        position += 1
    }

    private mutating func enter(_ opening: UInt8) throws(JSONScanError) {
        if depth == Self.depthLimit { throw JSONScanError(at: position, isTooDeep: true) }
        try expect(opening)
        depth += 1
    }

    /// Whether the container that was just entered is empty.
    private mutating func leaves(_ closing: UInt8) throws(JSONScanError) -> Bool {
        skipWhitespace()
        guard try byte() == closing else { return false }
        position += 1
        depth -= 1
        return true
    }

    private mutating func continues(until closing: UInt8) throws(JSONScanError) -> Bool {
        skipWhitespace()
        let next = try byte()
        if next == UInt8(ascii: ",") {
            position += 1
            return true
        }
        if next != closing { throw JSONScanError(at: position) }
        position += 1
        depth -= 1
        return false
    }

    private mutating func skipLiteral(_ literal: StaticString) throws(JSONScanError) {
        let end = position + literal.utf8CodeUnitCount
        let text = UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount)
        guard end <= bytes.count, bytes[position..<end].elementsEqual(text) else { throw JSONScanError(at: position) }
        position = end
    }

    private mutating func skipNumber() throws(JSONScanError) {
        if bytes[position] == UInt8(ascii: "-") { position += 1 }
        if try byte() == UInt8(ascii: "0") {
            position += 1
        } else {
            try skipDigits()
        }
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            position += 1
            try skipDigits()
        }
        if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
            position += 1
            let sign = try byte()
            if sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { position += 1 }
            try skipDigits()
        }
    }

    /// At least one digit.
    private mutating func skipDigits() throws(JSONScanError) {
        let start = position
        while position < bytes.count, bytes[position] &- UInt8(ascii: "0") <= 9 { position += 1 }
        if position == start { throw JSONScanError(at: position) }
    }

    /// From after the opening quote to the closing one; says whether there were escapes.
    private mutating func skipStringBody() throws(JSONScanError) -> Bool {
        var hasEscapes = false
        while true {
            skipPlainWords()
            let next = try byte()
            switch next {
            case UInt8(ascii: "\""): return hasEscapes
            case UInt8(ascii: "\\"):
                hasEscapes = true
                try skipEscape()
            case 0..<0x20: throw JSONScanError(at: position)
            case 0x20..<0x80: position += 1
            default:
                let length = UTF8Sequence.length(of: bytes, at: position)
                if length == 0 { throw JSONScanError(at: position) }
                position += length
            }
        }
    }

    /// Eight bytes at a time while none is a quote, a backslash, a control character or beyond ASCII.
    private mutating func skipPlainWords() {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let tops: UInt64 = 0x8080_8080_8080_8080
        while position + 8 <= bytes.count {
            let word = bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)
            let quotes = word ^ (ones &* 0x22)
            let slashes = word ^ (ones &* 0x5C)
            let hits = (quotes &- ones) & ~quotes | (slashes &- ones) & ~slashes | (word &- ones &* 0x20) | word
            if hits & tops != 0 { return }
            position += 8
        }
    }

    private mutating func skipEscape() throws(JSONScanError) {
        position += 1
        switch try byte() {
        case UInt8(ascii: "u"):
            position += 1
            for _ in 0..<4 {
                if !Character(Unicode.Scalar(try byte())).isHexDigit { throw JSONScanError(at: position) }
                position += 1
            }
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            position += 1
        default: throw JSONScanError(at: position)
        }
    }
}
