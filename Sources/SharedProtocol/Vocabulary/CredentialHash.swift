import Crypto

/// What is stored, cached and sent between services in place of an API key or a session id: HMAC-SHA256 under a key from
/// the configuration, in lower-case hexadecimal. The secret itself stays with its owner.
public struct CredentialHash: Identifier {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    /// - Parameter key: `app.encryption_key` for API keys, `app.secret_key` for sessions.
    public init(of secret: String, under key: String) {
        var hmac = HMAC<SHA256>(key: SymmetricKey(data: Array(key.utf8)))
        hmac.update(data: Array(secret.utf8))
        self.init(Self.hexadecimal(hmac.finalize()))
    }

    private static func hexadecimal(_ code: HashedAuthenticationCode<SHA256>) -> String {
        let digits: StaticString = "0123456789abcdef"
        return String(unsafeUninitializedCapacity: 2 * SHA256.byteCount) { text in
            for (index, byte) in code.enumerated() {
                text[2 * index] = digits.utf8Start[Int(byte >> 4)]
                text[2 * index + 1] = digits.utf8Start[Int(byte & 15)]
            }
            return 2 * SHA256.byteCount
        }
    }
}
