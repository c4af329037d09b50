import Crypto
import SharedProtocol
import Testing

@testable import auth_service

@Suite struct LoginAttemptTests {
    private let key = LoginKey("0123456789abcdef0123456789abcdef")
    private let now = Timestamp(1_800_000_000_000)

    @Test func theCookieHoldsTheWholeAttempt() {
        let attempt = LoginAttempt(next: "/usage?month=all&é", at: now, key)
        #expect(LoginAttempt(cookie: attempt.cookie(key), key) == attempt)
        #expect(attempt.expires == Timestamp(now.rawValue + 600_000))
        #expect(attempt.cookie(key).wholeMatch(of: /[A-Za-z0-9_.-]+/) != nil)
    }

    @Test func theLongestCookieFits() {
        let attempt = LoginAttempt(next: "/" + String(repeating: "x", count: 999), at: now, key)
        #expect(attempt.cookie(key).utf8.count < 2_000)
        #expect(LoginAttempt(next: "/" + String(repeating: "x", count: 1000), at: now, key).next == "/")
    }

    @Test func everyAttemptIsAnother() {
        let attempts = (0..<100).map { _ in LoginAttempt(next: "/", at: now, key) }
        #expect(Set(attempts.map(\.state)).count == 100)
        #expect(Set(attempts.map { $0.nonce(key) }).count == 100)
    }

    /// A changed byte anywhere, another key, or parts of two cookies make no attempt.
    @Test func aForgedCookieIsNone() {
        let cookie = LoginAttempt(next: "/chat", at: now, key).cookie(key)
        for index in cookie.indices {
            var forged = cookie
            forged.replaceSubrange(index...index, with: cookie[index] == "A" ? "B" : "A")
            #expect(LoginAttempt(cookie: forged, key) == nil)
        }
        #expect(LoginAttempt(cookie: cookie, LoginKey("another key, of 32 bytes or more.")) == nil)
        #expect(LoginAttempt(cookie: cookie + "=", key) == nil)
        for text in ["", ".", "...", "a.b.c", String(cookie.dropFirst())] {
            #expect(LoginAttempt(cookie: text, key) == nil)
        }
    }

    @Test func aForgedStateIsNotOurs() {
        let state = LoginAttempt(next: "/", at: now, key).state
        #expect(LoginAttempt.isOurs(state: state, key))
        #expect(!LoginAttempt.isOurs(state: String(state.reversed()), key))
        #expect(!LoginAttempt.isOurs(state: state + "x", key))
        #expect(!LoginAttempt.isOurs(state: "", key))
        #expect(!LoginAttempt.isOurs(state: state, LoginKey("another key, of 32 bytes or more.")))
    }

    /// RFC 7636, section 4: 43 to 128 unreserved characters, and their SHA-256 in base64url.
    @Test func verifierAndChallengeAreThoseOfPKCE() throws {
        let attempt = LoginAttempt(next: "/", at: now, key)
        #expect(attempt.verifier(key).wholeMatch(of: /[A-Za-z0-9._~-]{43,128}/) != nil)
        #expect(Base64URL.bytes(attempt.challenge(key)) == Array(SHA256.hash(data: Array(attempt.verifier(key).utf8))))
        #expect(Set([attempt.verifier(key), attempt.nonce(key), attempt.state]).count == 3)
    }

    @Test func base64URLHasOneSpelling() {
        #expect(Base64URL.text([0xFB, 0xFF]) == "-_8")
        #expect(Base64URL.bytes("-_8") == [0xFB, 0xFF])
        for text in ["-_9", "-_8=", "+/8", "-_8 ", "a"] { #expect(Base64URL.bytes(text) == nil) }
    }
}
