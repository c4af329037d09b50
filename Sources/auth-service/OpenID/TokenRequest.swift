import NIOCore
import SharedProtocol

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What the token endpoint is asked (RFC 6749, section 4.1.3, with RFC 7636).
struct TokenRequest {
    private(set) var form: [(name: String, value: String)]
    private(set) var headers: [(name: String, value: String)] = []

    init(
        code: String, verifier: String, _ oauth2: OAuth2Configuration,
        _ authentication: ProviderMetadata.ClientAuthentication
    ) {
        form = [
            ("grant_type", "authorization_code"), ("code", code), ("redirect_uri", oauth2.redirectURI.description),
            ("code_verifier", verifier),
        ]
        let secret = oauth2.clientSecret.reveal()
        switch authentication {
        case .post:
            form += [("client_id", oauth2.clientID), ("client_secret", secret)]
        case .basic:
            // Each is escaped by itself (section 2.3.1): an id may have a colon.
            let pair = oauth2.clientID.percentEncoded + ":" + secret.percentEncoded
            headers = [("Authorization", "Basic " + Data(pair.utf8).base64EncodedString())]
        }
    }
}

/// What the token endpoint answers.
struct Tokens {
    let idToken: String
    let accessToken: String

    /// Bytes of an access token that is passed on.
    private static let longestAccessToken = 16 * 1024

    init(_ reply: ProviderClient.Reply) throws(LoginProblem) {
        guard reply.status == 200 else { throw Self.problem(reply) }
        guard let said = try? reply.body.decodeJSON(Document.self), said.token_type.lowercased() == "bearer",
            said.access_token.utf8.count <= Self.longestAccessToken
        else { throw LoginProblem(.providerUnusable, "token: the answer has not the tokens of OpenID Connect") }
        idToken = said.id_token
        accessToken = said.access_token
    }

    private static func problem(_ reply: ProviderClient.Reply) -> LoginProblem {
        let detail = "token: status \(reply.status)"
        switch (reply.status, (try? reply.body.decodeJSON(Failure.self))?.error) {
        case (400, "invalid_grant"): return LoginProblem(.codeRefused, detail + ", invalid_grant")
        case (400...403, _): return LoginProblem(.clientRefused, detail)
        default: return LoginProblem(reply.unexpected, detail)
        }
    }

    private struct Document: Decodable {
        var id_token: String
        var access_token: String
        var token_type: String
    }

    private struct Failure: Decodable {
        var error: String
    }
}
