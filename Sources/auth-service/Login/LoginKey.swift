import Crypto

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Signs what leaves this service and comes back during a login, and derives what must not leave it. Its key is derived from
/// `app.secret_key`, so that no code is ever worth anything elsewhere.
struct LoginKey: Sendable {
    enum Purpose: String {
        case state, cookie, nonce
        /// Names an attempt among those that have come back.
        case used
        /// PKCE's code verifier (RFC 7636).
        case verifier
    }

    private let key: SymmetricKey

    init(_ secret: String) {
        key = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: Array(secret.utf8)), info: Array("lumen login".utf8),
            outputByteCount: SHA256.byteCount)
    }

    /// HMAC-SHA256 in base64url: 43 characters, as many as a code verifier needs at least.
    func code(_ purpose: Purpose, _ text: String) -> String {
        var hmac = HMAC<SHA256>(key: key)
        hmac.update(data: Array((purpose.rawValue + ":" + text).utf8))
        return Base64URL.text(hmac.finalize())
    }
}

/// Base64 for URLs, without padding (RFC 4648, section 5).
enum Base64URL {
    static func text(_ bytes: some Sequence<UInt8>) -> String {
        Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    /// Nil when this is not the one way to write some bytes.
    static func bytes(_ text: some StringProtocol) -> [UInt8]? {
        let plain = String(text).replacing("-", with: "+").replacing("_", with: "/")
        let padding = String(repeating: "=", count: (4 - plain.utf8.count % 4) % 4)
        guard let bytes = Data(base64Encoded: plain + padding).map(Array.init), Base64URL.text(bytes) == text else {
            return nil
        }
        return bytes
    }
}

extension String {
    /// Compares in a time that depends on the lengths only.
    func matches(_ other: some StringProtocol) -> Bool {
        guard utf8.count == other.utf8.count else { return false }
        return zip(utf8, other.utf8).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
