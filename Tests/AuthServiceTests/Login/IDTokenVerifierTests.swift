import Crypto
import SharedProtocol
import Testing

@testable import auth_service

@Suite struct IDTokenVerifierTests {
    private let provider = TokenFixture()
    private let verifier = IDTokenVerifier(issuer: "https://id.example.edu", clientID: "lumen", nonce: "n1")
    private let now = Timestamp(1_800_000_010_000)

    /// As a login does it: the header, the key that it names, then the rest.
    private func claims(
        _ token: String, _ keys: String..., at time: Timestamp? = nil
    ) async throws -> IDTokenClaims {
        let header = try IDTokenVerifier.header(of: token)
        let set = try ProviderKeys(TokenFixture.keySet(keys.isEmpty ? provider.jwk() : keys.joined(separator: ",")))
        guard let key = set.key(named: header.key, for: header.algorithm) else {
            throw LoginProblem(.unknownKey, "")
        }
        return try await verifier.claims(of: token, header, key: key, at: time ?? now)
    }

    private func refusal(_ token: String, at time: Timestamp? = nil) async -> Auth.LoginRefusal? {
        do {
            _ = try await claims(token, at: time)
            return nil
        } catch {
            return (error as? LoginProblem)?.refusal
        }
    }

    private func refusal(
        _ changes: [String: String], without absent: String = "", at time: Timestamp? = nil
    ) async throws -> Auth.LoginRefusal? {
        await refusal(try provider.token(changes, without: absent), at: time)
    }

    @Test func aValidTokenSaysWhoItIs() async throws {
        let claims = try await claims(try provider.token())
        #expect(claims.subject == "u1")
        #expect(claims.person.email == "a@x.edu")
    }

    @Test func theAudienceMustBeUs() async throws {
        #expect(try await refusal(["aud": #"["lumen"]"#]) == nil)
        #expect(try await refusal(["aud": #"["other","lumen"]"#, "azp": #""lumen""#]) == nil)
        #expect(try await refusal(["aud": #""other""#]) == .wrongAudience)
        #expect(try await refusal(["aud": "[]"]) == .wrongAudience)
        #expect(try await refusal(["aud": #"["other","lumen"]"#]) == .wrongAudience)
        #expect(try await refusal(["azp": #""other""#]) == .wrongAudience)
    }

    @Test func issuerAndNonceMustBeThoseThatAreExpected() async throws {
        #expect(try await refusal(["iss": #""https://id.example.edu/""#]) == .wrongIssuer)
        #expect(try await refusal(["nonce": #""n2""#]) == .wrongNonce)
        #expect(try await refusal([:], without: "nonce") == .wrongNonce)
    }

    /// The token is valid from 1,800,000,000 to 1,800,000,300 s; the leeway is 60 s.
    @Test func timesHaveALeewayOfAMinute() async throws {
        for (seconds, expected) in [
            (1_799_999_939, Auth.LoginRefusal.clockSkew), (1_799_999_941, nil), (1_800_000_359, nil),
            (1_800_000_361, .clockSkew),
        ] as [(Int64, Auth.LoginRefusal?)] {
            #expect(try await refusal([:], at: Timestamp(seconds * 1000)) == expected, "\(seconds)")
        }
        #expect(try await refusal(["nbf": "1800000200"]) == .clockSkew)
        #expect(try await refusal(["exp": "1e400"]) == .providerUnusable)
        #expect(try await refusal(["exp": "1800000300.5", "iat": "1.8e9"]) == nil)
    }

    @Test(arguments: ["iss", "sub", "aud", "exp", "iat"])
    func aRequiredClaimThatIsMissingOrOfAnotherTypeIsNonsense(name: String) async throws {
        #expect(try await refusal([:], without: name) == .providerUnusable)
        #expect(try await refusal([name: "{}"]) == .providerUnusable)
    }

    @Test func theSubjectHasALength() async throws {
        #expect(try await refusal(["sub": #""""#]) == .providerUnusable)
        #expect(try await refusal(["sub": "\"\(String(repeating: "x", count: 256))\""]) == .providerUnusable)
    }

    @Test(arguments: [
        #"{"alg":"none"}"#, #"{"alg":"None","kid":"k1"}"#, #"{"alg":"HS256","kid":"k1"}"#, #"{"kid":"k1"}"#,
        #"{"alg":"","kid":"k1"}"#, #"{"alg":"EdDSA","kid":"k1"}"#,
    ])
    func algorithmsWithoutAPublicKeyAreNotAllowed(header: String) async throws {
        let token = try provider.token(header: header)
        #expect(await refusal(token) == .algorithmNotAllowed)
        let unsigned = token.prefix(through: token.lastIndex(of: ".") ?? token.startIndex)
        #expect(await refusal(String(unsigned)) == .algorithmNotAllowed)
    }

    @Test func anotherKeyOrAlgorithmThanTheKeysDoesNotFit() async throws {
        #expect(await refusal(try provider.token(header: #"{"alg":"ES256","kid":"k2"}"#)) == .unknownKey)
        // A key of another kind.
        #expect(await refusal(try provider.token(header: #"{"alg":"RS256","kid":"k1"}"#)) == .unknownKey)
        #expect(await refusal(try TokenFixture().token()) == .badSignature)
        #expect(await refusal(try provider.token(header: #"{"alg":"ES384","kid":"k1"}"#)) == .badSignature)
        await #expect(throws: LoginProblem.self) {
            try await claims(try provider.token(), provider.jwk(#","alg":"ES384""#))
        }
        await #expect(throws: LoginProblem.self) {
            try await claims(try provider.token(), provider.jwk(#","use":"enc""#))
        }
    }

    @Test func anAlteredTokenIsNotValid() async throws {
        let parts = try provider.token().split(separator: ".").map(String.init)
        let other = try provider.token(["sub": #""admin""#]).split(separator: ".").map(String.init)
        #expect(await refusal([parts[0], other[1], parts[2]].joined(separator: ".")) == .badSignature)
        #expect(await refusal([parts[0], parts[1], other[2]].joined(separator: ".")) == .badSignature)
        #expect(await refusal([parts[0], parts[1], ""].joined(separator: ".")) == .badSignature)
    }

    @Test(arguments: ["", "a", "a.b", "a.b.c.d", "....", "e30.e30.", "!.!.!"])
    func whatIsNoTokenIsRefused(token: String) async {
        #expect([.providerUnusable, .algorithmNotAllowed].contains(await refusal(token)))
    }

    @Test func criticalExtensionsAreNotUnderstood() async throws {
        let header = #"{"alg":"ES256","kid":"k1","crit":["b64"],"b64":true}"#
        #expect(await refusal(try provider.token(header: header)) == .providerUnusable)
    }

    @Test func aTokenWithoutKeyIDMeansTheOnlyKeyOfItsKind() async throws {
        let token = try provider.token(header: #"{"alg":"ES256"}"#)
        #expect(await refusal(token) == nil)
        await #expect(throws: LoginProblem.self) {
            try await claims(token, provider.jwk(), TokenFixture("k2").jwk())
        }
    }

    @Test func keysOfUnknownKindsArePassedOver() async throws {
        let others = [
            #"{"kty":"oct","k":"AAAA","kid":"k1"}"#,
            #"{"kty":"RSA","kid":"e","alg":"RSA-OAEP-256","n":"AQ","e":"AQAB"}"#,
            #"{"kty":"EC","crv":"secp256k1","kid":"s","x":"AQ","y":"AQ"}"#, "{}", "7",
        ]
        #expect(try await claims(try provider.token(), others.joined(separator: ","), provider.jwk()).subject == "u1")
    }
}
