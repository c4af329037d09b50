/// The two details of JSON strings that the scan leaves out of its main line: UTF-8 sequences and escapes.

enum UTF8Sequence {
    /// Length of the well-formed multi-byte sequence that begins at `position` (Unicode 15, table 3-7); 0 if it is none.
    static func length(of bytes: UnsafeRawBufferPointer, at position: Int) -> Int {
        func continues(_ offset: Int, in range: ClosedRange<UInt8> = 0x80...0xBF) -> Bool {
            position + offset < bytes.count && range.contains(bytes[position + offset])
        }
        switch bytes[position] {
        case 0xC2...0xDF: return continues(1) ? 2 : 0
        case 0xE0: return continues(1, in: 0xA0...0xBF) && continues(2) ? 3 : 0
        case 0xED: return continues(1, in: 0x80...0x9F) && continues(2) ? 3 : 0
        case 0xE1...0xEF: return continues(1) && continues(2) ? 3 : 0
        case 0xF0: return continues(1, in: 0x90...0xBF) && continues(2) && continues(3) ? 4 : 0
        case 0xF1...0xF3: return continues(1) && continues(2) && continues(3) ? 4 : 0
        case 0xF4: return continues(1, in: 0x80...0x8F) && continues(2) && continues(3) ? 4 : 0
        default: return 0
        }
    }
}

enum JSONUnescape {
    /// The text of a string that the scan has accepted.
    static func text(of raw: UnsafeRawBufferPointer) -> String {
        var units: [UInt8] = []
        units.reserveCapacity(raw.count)
        var position = 0
        while position < raw.count {
            guard raw[position] == UInt8(ascii: "\\") else {
                units.append(raw[position])
                position += 1
                continue
            }
            position += 1
            if raw[position] == UInt8(ascii: "u") {
                let (scalar, length) = scalar(in: raw, at: position - 1)
                units.append(contentsOf: Array(String(Character(scalar)).utf8))
                position += length - 1
            } else {
                units.append(plain(raw[position]))
                position += 1
            }
        }
        return String(decoding: units, as: UTF8.self)
    }

    private static func plain(_ letter: UInt8) -> UInt8 {
        switch letter {
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        default: letter
        }
    }

    /// The scalar that begins with the backslash at `position`, one `\uXXXX` or a surrogate pair, and its length.
    private static func scalar(in raw: UnsafeRawBufferPointer, at position: Int) -> (Unicode.Scalar, Int) {
        let high = unit(in: raw, at: position)
        guard let high else { return ("\u{FFFD}", 6) }
        if let scalar = Unicode.Scalar(high) { return (scalar, 6) }
        if (0xD800..<0xDC00).contains(high), let low = unit(in: raw, at: position + 6), (0xDC00..<0xE000).contains(low),
            let scalar = Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
        {
            return (scalar, 12)
        }
        return ("\u{FFFD}", 6)
    }

    private static func unit(in raw: UnsafeRawBufferPointer, at position: Int) -> UInt32? {
        guard position + 6 <= raw.count, raw[position] == UInt8(ascii: "\\"), raw[position + 1] == UInt8(ascii: "u")
        else { return nil }
        return UInt32(String(decoding: raw[(position + 2)..<(position + 6)], as: UTF8.self), radix: 16)
    }
}
