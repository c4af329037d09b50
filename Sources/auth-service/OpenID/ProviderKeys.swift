import JWTKit
import NIOCore
import SharedProtocol

/// The public keys that a provider signs with (RFC 7517). Keys of kinds that are not known here are passed over: a set may
/// hold them beside those that are used.
struct ProviderKeys: Sendable {
    private let keys: [PublicKey]

    init(_ document: ByteBuffer) throws(LoginProblem) {
        guard let set = try? document.decodeJSON(KeySet.self) else {
            throw LoginProblem(.providerUnusable, "the key set is not what RFC 7517 asks for")
        }
        keys = set.keys.compactMap(\.key)
    }

    /// The key to check a signature with. A token without key id can mean only one.
    func key(named id: String?, for algorithm: SigningAlgorithm) -> JWK? {
        let fitting = keys.filter { $0.fits(algorithm) }
        guard let id else { return fitting.count == 1 ? fitting.first?.jwk : nil }
        return fitting.first { $0.jwk.keyIdentifier?.string == id }?.jwk
    }

    private struct KeySet: Decodable {
        var keys: [Entry]
    }

    private struct Entry: Decodable {
        let key: PublicKey?

        init(from decoder: any Decoder) throws {
            key = try? PublicKey(from: decoder)
        }
    }
}

private struct PublicKey: Decodable, Sendable {
    let jwk: JWK
    private let use: String?

    private enum CodingKeys: String, CodingKey { case use }

    /// Takes the public members only, should the provider be careless enough to publish others.
    init(from decoder: any Decoder) throws {
        use = try decoder.container(keyedBy: CodingKeys.self).decodeIfPresent(String.self, forKey: .use)
        var jwk = try JWK(from: decoder)
        (jwk.privateExponent, jwk.prime1, jwk.prime2) = (nil, nil, nil)
        self.jwk = jwk
    }

    func fits(_ algorithm: SigningAlgorithm) -> Bool {
        jwk.keyType == algorithm.keyType && use != "enc"
            && (jwk.algorithm == nil || jwk.algorithm?.rawValue == algorithm.rawValue)
    }
}

/// The algorithms (RFC 7518) that an ID token may be signed with: those with a public key. `none` and the symmetric ones are
/// not among them, whatever a token or a key says.
enum SigningAlgorithm: String, Sendable, CaseIterable {
    case rs256 = "RS256"
    case rs384 = "RS384"
    case rs512 = "RS512"
    case ps256 = "PS256"
    case ps384 = "PS384"
    case ps512 = "PS512"
    case es256 = "ES256"
    case es384 = "ES384"
    case es512 = "ES512"

    var keyType: JWK.KeyType { rawValue.hasPrefix("ES") ? .ecdsa : .rsa }
}
