import HTTPClient
import JWTKit
import NIOCore
import SharedProtocol

/// The identity provider: what it says of itself, its keys, and what it says of a person who comes back with a code.
final class OpenIDProvider: Sendable {
    /// How long the discovery document and the keys are used.
    static let lifetime = Duration.seconds(3600)
    /// A key that is not known makes the keys be fetched anew, but not more often than this.
    static let pauseBetweenKeys = Duration.seconds(5)

    let address: WebAddress
    private let client: ProviderClient
    private let metadata: Kept<ProviderMetadata>
    private let keys: Kept<ProviderKeys>

    /// - Parameter isDebugging: whether plain http will do, on this machine.
    init(
        at address: WebAddress, isDebugging: Bool, http: HTTPClient, clock: @escaping @Sendable () -> Timestamp
    ) {
        let client = ProviderClient(http: http)
        let metadata = Kept<ProviderMetadata>(clock: clock) { () async throws(LoginProblem) in
            let document = try await client.document("discovery", at: address.description)
            return try ProviderMetadata(document, from: address, isDebugging: isDebugging)
        }
        self.address = address
        self.client = client
        self.metadata = metadata
        keys = Kept(clock: clock) { () async throws(LoginProblem) in
            let url = try await metadata.value(youngerThan: Self.lifetime).keysURL
            return try ProviderKeys(try await client.document("keys", at: url))
        }
    }

    func metadata() async throws(LoginProblem) -> ProviderMetadata {
        try await metadata.value(youngerThan: Self.lifetime)
    }

    /// The key that a token was signed with; the keys are fetched anew when it is not among those that are known.
    func key(_ header: IDTokenVerifier.Header) async throws(LoginProblem) -> JWK {
        for age in [Self.lifetime, Self.pauseBetweenKeys] {
            let known = try await keys.value(youngerThan: age)
            if let key = known.key(named: header.key, for: header.algorithm) { return key }
        }
        throw LoginProblem(.unknownKey, "the ID token is signed with a key that the provider does not publish")
    }

    /// Gives the code for tokens.
    func tokens(
        for code: String, verifier: String, _ oauth2: OAuth2Configuration
    ) async throws(LoginProblem) -> Tokens {
        let metadata = try await metadata()
        let request = TokenRequest(code: code, verifier: verifier, oauth2, metadata.clientAuthentication)
        let reply = try await client.post(
            "token", request.form, to: metadata.tokenEndpoint, headers: request.headers)
        return try Tokens(reply)
    }

    /// What the userinfo endpoint says of the person, if there is one. Its subject must be the ID token's (OpenID Connect
    /// Core 1.0, section 5.3.2).
    func userinfo(accessToken: String, subject: String) async throws(LoginProblem) -> PersonClaims? {
        guard let url = try await metadata().userinfoEndpoint else { return nil }
        let document = try await client.document("userinfo", at: url, bearer: accessToken)
        guard let said = try? document.decodeJSON(Subject.self),
            let claims = try? document.decodeJSON(PersonClaims.self)
        else { throw LoginProblem(.providerUnusable, "the userinfo is no JSON object with a subject") }
        guard said.sub == subject else { throw LoginProblem(.wrongSubject, "the userinfo is about somebody else") }
        return claims
    }

    private struct Subject: Decodable {
        var sub: String
    }
}
