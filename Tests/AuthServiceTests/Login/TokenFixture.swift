import Crypto
import Foundation
import NIOCore

@testable import auth_service

/// A provider's key, and tokens that it signs.
struct TokenFixture {
    let id: String
    private let key = P256.Signing.PrivateKey()

    init(_ id: String = "k1") { self.id = id }

    /// The public key as RFC 7517 writes it.
    func jwk(_ more: String = "") -> String {
        let point = Array(key.publicKey.rawRepresentation)
        let (x, y) = (Base64URL.text(point.prefix(32)), Base64URL.text(point.suffix(32)))
        return #"{"kty":"EC","crv":"P-256","kid":"\#(id)","x":"\#(x)","y":"\#(y)"\#(more)}"#
    }

    static func keySet(_ keys: String...) -> ByteBuffer {
        ByteBuffer(string: #"{"keys":[\#(keys.joined(separator: ","))]}"#)
    }

    /// A token that is valid for `LoginTokenTests`' provider, client and time, unless changed: members as JSON text; one
    /// may be left out.
    func token(_ changes: [String: String] = [:], without absent: String = "", header: String? = nil) throws -> String {
        var members: [String: String] = [
            "iss": #""https://id.example.edu""#, "sub": #""u1""#, "aud": #""lumen""#, "exp": "1800000300",
            "iat": "1800000000", "nonce": #""n1""#, "email": #""a@x.edu""#,
        ]
        members.merge(changes) { $1 }
        members[absent] = nil
        let payload = "{" + members.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",") + "}"
        let signed =
            Base64URL.text((header ?? #"{"alg":"ES256","kid":"\#(id)"}"#).utf8) + "." + Base64URL.text(payload.utf8)
        return signed + "." + Base64URL.text(try key.signature(for: Data(signed.utf8)).rawRepresentation)
    }
}
