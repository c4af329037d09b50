import JWTKit
import SharedProtocol

/// What an ID token says (OpenID Connect Core 1.0, section 2). That it says so in the provider's name is known, once
/// `IDTokenVerifier` gave it out.
struct IDTokenClaims: JWTPayload {
    var issuer: String
    var subject: String
    var audience: TextList
    var authorizedParty: String?
    /// Seconds since 1970, like the other times.
    var expires: Double
    var issued: Double
    var notBefore: Double?
    var nonce: String?
    var person: PersonClaims

    enum CodingKeys: String, CodingKey {
        case issuer = "iss"
        case subject = "sub"
        case audience = "aud"
        case authorizedParty = "azp"
        case expires = "exp"
        case issued = "iat"
        case notBefore = "nbf"
        case nonce
    }

    init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: CodingKeys.self)
        issuer = try members.decode(String.self, forKey: .issuer)
        subject = try members.decode(String.self, forKey: .subject)
        audience = try members.decode(TextList.self, forKey: .audience)
        authorizedParty = try members.decodeIfPresent(String.self, forKey: .authorizedParty)
        expires = try members.decode(Double.self, forKey: .expires)
        issued = try members.decode(Double.self, forKey: .issued)
        notBefore = try members.decodeIfPresent(Double.self, forKey: .notBefore)
        nonce = try members.decodeIfPresent(String.self, forKey: .nonce)
        person = try PersonClaims(from: decoder)
    }

    /// Only read, never signed.
    func encode(to encoder: any Encoder) throws {
        throw EncodingError.invalidValue(self, .init(codingPath: [], debugDescription: "an ID token is only read"))
    }

    /// Judged by `IDTokenVerifier`, which knows what is to be expected.
    func verify(using algorithm: some JWTAlgorithm) throws {}
}

/// A string, or a list of strings.
struct TextList: Decodable, Sendable, Hashable {
    let values: [String]

    init(_ values: [String]) { self.values = values }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        values = try (try? container.decode(String.self)).map { [$0] } ?? container.decode([String].self)
    }
}
