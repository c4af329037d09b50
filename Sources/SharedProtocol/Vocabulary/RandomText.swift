/// Random identifiers and secrets as text, from the system's cryptographic generator.
public enum RandomText {
    private static let base32Alphabet = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)
    private static let base62Alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    /// `count` characters of 5 random bits each.
    public static func base32(_ count: Int) -> String { text(count, of: base32Alphabet) }

    /// `count` characters of log₂ 62 ≈ 5.95 random bits each, every one equally likely; 43 of them carry 256 bits.
    public static func base62(_ count: Int) -> String { text(count, of: base62Alphabet) }

    private static func text(_ count: Int, of alphabet: [UInt8]) -> String {
        var generator = SystemRandomNumberGenerator()
        return String(unsafeUninitializedCapacity: count) { bytes in
            for index in 0..<count {
                bytes[index] = alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]
            }
            return count
        }
    }
}
