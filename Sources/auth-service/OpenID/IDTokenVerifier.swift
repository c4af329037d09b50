import JWTKit
import SharedProtocol

/// Judges an ID token as OpenID Connect Core 1.0, section 3.1.3.7, asks for. Signatures are jwt-kit's business; which key and
/// which algorithm may be used at all is decided here.
struct IDTokenVerifier: Sendable {
    let issuer: String
    let clientID: String
    let nonce: String

    /// How far the clocks of this machine and the provider's may be apart, in seconds.
    static let leeway: Double = 60
    /// Longest token, in bytes.
    static let longestToken = 64 * 1024
    private static let longestSubject = 255

    /// What a token says about the key it is signed with.
    struct Header: Sendable, Hashable {
        let algorithm: SigningAlgorithm
        let key: String?
    }

    static func header(of token: String) throws(LoginProblem) -> Header {
        guard token.utf8.count <= longestToken,
            let header = try? DefaultJWTParser().parse(Array(token.utf8), as: AnyPayload.self).header
        else { throw LoginProblem(.providerUnusable, "the ID token is no JWT") }
        guard let algorithm = header.alg.flatMap(SigningAlgorithm.init(rawValue:)) else {
            throw LoginProblem(.algorithmNotAllowed, "the ID token's algorithm is not allowed")
        }
        // Extensions that must be understood (RFC 7515, section 4.1.11): none is.
        guard header.fields["crit"] == nil else {
            throw LoginProblem(.providerUnusable, "the ID token has a critical extension")
        }
        return Header(algorithm: algorithm, key: header.kid)
    }

    /// The claims of a token that is signed with this key, is meant for this site and this attempt, and is valid now.
    func claims(of token: String, _ header: Header, key: JWK, at now: Timestamp) async throws(LoginProblem)
        -> IDTokenClaims
    {
        let claims = try await Self.verifiedClaims(of: token, header, key)
        try judge(claims, at: Double(now.rawValue) / 1000)
        return claims
    }

    private static func verifiedClaims(
        of token: String, _ header: Header, _ key: JWK
    ) async throws(LoginProblem) -> IDTokenClaims {
        var key = key
        key.algorithm = JWK.Algorithm(rawValue: header.algorithm.rawValue)
        // The only key of its collection is used whatever its name.
        key.keyIdentifier = JWKIdentifier(string: header.key ?? "")
        do {
            return try await JWTKeyCollection().add(jwk: key).verify(token, as: IDTokenClaims.self)
        } catch is DecodingError {
            throw LoginProblem(.providerUnusable, "a claim is missing in the ID token, or of another type")
        } catch let error as JWTError where error.errorType == .malformedToken {
            throw LoginProblem(.providerUnusable, "the ID token cannot be read")
        } catch {
            throw LoginProblem(.badSignature, "the ID token's signature is not valid")
        }
    }

    private func judge(_ claims: IDTokenClaims, at now: Double) throws(LoginProblem) {
        guard claims.issuer == issuer else { throw LoginProblem(.wrongIssuer, "the ID token is another issuer's") }
        guard isMeantForUs(claims) else { throw LoginProblem(.wrongAudience, "the ID token is for another client") }
        guard claims.expires + Self.leeway > now else { throw LoginProblem(.clockSkew, "the ID token has expired") }
        guard max(claims.issued, claims.notBefore ?? claims.issued) <= now + Self.leeway else {
            throw LoginProblem(.clockSkew, "the ID token comes from the future")
        }
        guard let said = claims.nonce, nonce.matches(said) else {
            throw LoginProblem(.wrongNonce, "the ID token was made for another attempt")
        }
        guard 1...Self.longestSubject ~= claims.subject.utf8.count else {
            throw LoginProblem(.providerUnusable, "the ID token has no subject, or an over-long one")
        }
    }

    /// Of several audiences, the one that the token was given to is named.
    private func isMeantForUs(_ claims: IDTokenClaims) -> Bool {
        guard claims.audience.values.contains(clientID) else { return false }
        return claims.authorizedParty.map { $0 == clientID } ?? (claims.audience.values.count == 1)
    }
}

/// Whatever a token says: to look at its header only.
private struct AnyPayload: JWTPayload {
    func verify(using algorithm: some JWTAlgorithm) throws {}
}
