import NIOCore
import SharedProtocol

/// What an OpenID provider says of itself (OpenID Connect Discovery 1.0, section 3), as far as a login needs it.
struct ProviderMetadata: Sendable, Hashable {
    let issuer: String
    let authorizationEndpoint: String
    let tokenEndpoint: String
    let keysURL: String
    let userinfoEndpoint: String?
    let clientAuthentication: ClientAuthentication

    /// How this site proves to the token endpoint who it is.
    enum ClientAuthentication: String, Sendable {
        case basic = "client_secret_basic"
        case post = "client_secret_post"
    }

    static let wellKnownPath = "/.well-known/openid-configuration"

    /// Reads and checks the document.
    ///
    /// - Parameters:
    ///   - address: where it was got from; the issuer follows from it.
    ///   - isDebugging: whether plain http will do, on this machine.
    init(_ document: ByteBuffer, from address: WebAddress, isDebugging: Bool) throws(LoginProblem) {
        guard let said = try? document.decodeJSON(Document.self) else {
            throw LoginProblem(.providerUnusable, "the discovery document is not what OpenID Connect asks for")
        }
        guard address.description == Self.address(of: said.issuer) else {
            throw LoginProblem(.wrongIssuer, "the discovery document names another issuer than its address")
        }
        let addresses = [said.authorizationEndpoint, said.tokenEndpoint, said.keysURL, said.userinfoEndpoint]
        for text in addresses.compactMap(\.self) {
            guard let origin = WebAddress(text)?.origin, origin.isFitForLogin(debug: isDebugging) else {
                throw LoginProblem(.providerUnusable, "the discovery document names an address that is not https")
            }
        }
        issuer = said.issuer
        authorizationEndpoint = said.authorizationEndpoint
        tokenEndpoint = said.tokenEndpoint
        keysURL = said.keysURL
        userinfoEndpoint = said.userinfoEndpoint
        clientAuthentication = try Self.choice(of: said.authenticationMethods)
    }

    private static func address(of issuer: String) -> String? {
        WebAddress((issuer.hasSuffix("/") ? String(issuer.dropLast()) : issuer) + wellKnownPath)?.description
    }

    /// In the body where that will do: servers do not agree on how an id with a colon, as CILogon's, is written in the
    /// header.
    private static func choice(of methods: [String]?) throws(LoginProblem) -> ClientAuthentication {
        guard let methods else { return .basic }
        for method in [ClientAuthentication.post, .basic] where methods.contains(method.rawValue) { return method }
        throw LoginProblem(.providerUnusable, "the provider takes no client secret, neither in a header nor in a form")
    }

    private struct Document: Decodable {
        var issuer: String
        var authorizationEndpoint: String
        var tokenEndpoint: String
        var keysURL: String
        var userinfoEndpoint: String?
        var authenticationMethods: [String]?

        enum CodingKeys: String, CodingKey {
            case issuer
            case authorizationEndpoint = "authorization_endpoint"
            case tokenEndpoint = "token_endpoint"
            case keysURL = "jwks_uri"
            case userinfoEndpoint = "userinfo_endpoint"
            case authenticationMethods = "token_endpoint_auth_methods_supported"
        }
    }
}
