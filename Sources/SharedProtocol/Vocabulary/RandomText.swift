/// Random identifiers and secrets as text, from the system's cryptographic generator.
public enum RandomText {
    private static let base32Alphabet = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)
    private static let base62Alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    /// `count` characters of 5 random bits each.
    public static func base32(_ count: Int) -> String { text(count, of: base32Alphabet) }

    /// The lowest 5 × `digits` bits of a number, highest first.
    static func base32(of number: UInt64, digits: Int) -> String {
        String(unsafeUninitializedCapacity: digits) { bytes in
            for digit in 0..<digits { bytes[digit] = base32Alphabet[Int(number >> (5 * (digits - 1 - digit))) & 31] }
            return digits
        }
    }

    /// `count` characters of log₂ 62 ≈ 5.95 random bits each, every one equally likely; 43 of them carry 256 bits.
    public static func base62(_ count: Int) -> String { text(count, of: base62Alphabet) }

    /// Draws 64 bits at a time: each draw is a system call.
    private static func text(_ count: Int, of alphabet: [UInt8]) -> String {
        let mask = UInt64(alphabet.count.nextPowerOf2() - 1)
        var generator = SystemRandomNumberGenerator()
        var bits: UInt64 = 0
        var left = 0
        return String(unsafeUninitializedCapacity: count) { bytes in
            var filled = 0
            while filled < count {
                if left == 0 {
                    bits = generator.next()
                    left = UInt64.bitWidth / mask.nonzeroBitCount
                }
                let index = Int(bits & mask)
                bits >>= mask.nonzeroBitCount
                left -= 1
                // Values beyond the alphabet are drawn again, so that every character is equally likely.
                guard index < alphabet.count else { continue }
                bytes[filled] = alphabet[index]
                filled += 1
            }
            return count
        }
    }
}

extension Int {
    fileprivate func nextPowerOf2() -> Int { self <= 1 ? 1 : 1 << (Int.bitWidth - (self - 1).leadingZeroBitCount) }
}
