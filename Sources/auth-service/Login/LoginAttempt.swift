import Crypto
import SharedProtocol

/// One attempt to log in, from the way to the provider to the way back. Nothing is stored meanwhile: the state says by
/// itself that it is ours, a cookie ties it to the browser that began, and what the provider is to give back or must not
/// see is derived from it.
struct LoginAttempt: Sendable, Hashable {
    /// `state` of the authorization request: random characters, then a code over them.
    let state: String
    let next: String
    let began: Timestamp

    private static let randomLength = 22
    /// 132 bits of the code.
    private static let codeLength = 22
    /// Bytes of `next` at most; a longer one is forgotten.
    private static let longestNext = 1000

    init(next: String, at now: Timestamp, _ key: LoginKey) {
        let random = RandomText.base62(Self.randomLength)
        state = random + key.code(.state, random).prefix(Self.codeLength)
        self.next = next.utf8.count <= Self.longestNext ? next : "/"
        began = now
    }

    /// Whether this service made the state.
    static func isOurs(state: String, _ key: LoginKey) -> Bool {
        guard state.utf8.count == randomLength + codeLength else { return false }
        let random = String(state.prefix(randomLength))
        return String(key.code(.state, random).prefix(codeLength)).matches(state.dropFirst(randomLength))
    }

    var id: LoginAttemptID? { LoginAttemptID(state: state) }

    /// From this moment on the attempt is over.
    var expires: Timestamp { Timestamp(began.rawValue + Auth.LoginAttempt.lifetime.milliseconds) }

    /// What the provider must put into the ID token.
    func nonce(_ key: LoginKey) -> String { key.code(.nonce, state) }
    /// What proves to the provider that the code comes from whom it was asked for by.
    func verifier(_ key: LoginKey) -> String { key.code(.verifier, state) }
    /// PKCE's challenge of the method S256.
    func challenge(_ key: LoginKey) -> String { Base64URL.text(SHA256.hash(data: Array(verifier(key).utf8))) }

    /// The value of the attempt's cookie: state, time, next and a code over them.
    func cookie(_ key: LoginKey) -> String {
        let content = "\(state).\(began).\(Base64URL.text(next.utf8))"
        return content + "." + key.code(.cookie, content)
    }

    /// Reads a cookie; nil when it is not ours.
    init?(cookie: String, _ key: LoginKey) {
        guard let end = cookie.lastIndex(of: ".") else { return nil }
        let content = String(cookie[..<end])
        guard key.code(.cookie, content).matches(cookie[cookie.index(after: end)...]) else { return nil }
        let parts = content.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let began = Int64(parts[1]), let next = Base64URL.bytes(parts[2]) else { return nil }
        state = String(parts[0])
        self.began = Timestamp(began)
        self.next = String(decoding: next, as: UTF8.self)
    }
}
