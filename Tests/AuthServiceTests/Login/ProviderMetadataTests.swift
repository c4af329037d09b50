import NIOCore
import SharedProtocol
import Testing

@testable import auth_service

@Suite struct ProviderMetadataTests {
    /// A discovery document, with members replaced, and one left out.
    private func document(
        _ issuer: String, _ changes: [String: String] = [:], without absent: String = ""
    ) -> ByteBuffer {
        var members: [String: String] = [
            "issuer": "\"\(issuer)\"", "authorization_endpoint": "\"https://id.example.edu/authorize\"",
            "token_endpoint": "\"https://id.example.edu/token\"", "jwks_uri": "\"https://id.example.edu/keys\"",
            "something_else": "[{}]",
        ]
        members.merge(changes) { $1 }
        members[absent] = nil
        return ByteBuffer(string: "{" + members.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",") + "}")
    }

    private func read(
        _ document: ByteBuffer, from address: String = "https://id.example.edu/.well-known/openid-configuration",
        isDebugging: Bool = false
    ) -> Result<ProviderMetadata, LoginProblem> {
        Result { () throws(LoginProblem) in
            guard let address = WebAddress(address) else { preconditionFailure("the tests' addresses are valid") }
            return try ProviderMetadata(document, from: address, isDebugging: isDebugging)
        }
    }

    private func refusal(_ result: Result<ProviderMetadata, LoginProblem>) -> Auth.LoginRefusal? {
        if case .failure(let problem) = result { problem.refusal } else { nil }
    }

    @Test func theSecretGoesInTheFormWhereThatWillDoElseInTheHeader() throws {
        let issuer = "https://id.example.edu"
        let key = "token_endpoint_auth_methods_supported"
        #expect(try read(document(issuer)).get().clientAuthentication == .basic)
        for (methods, expected) in [
            (#"["client_secret_basic","client_secret_post"]"#, ProviderMetadata.ClientAuthentication.post),
            (#"["private_key_jwt","client_secret_basic"]"#, .basic),
        ] {
            #expect(try read(document(issuer, [key: methods])).get().clientAuthentication == expected)
        }
        #expect(refusal(read(document(issuer, [key: #"["private_key_jwt"]"#]))) == .providerUnusable)
    }

    @Test func theIssuerFollowsFromTheAddress() throws {
        #expect(try read(document("https://id.example.edu")).get().userinfoEndpoint == nil)
        #expect(try read(document("https://id.example.edu/")).get().issuer == "https://id.example.edu/")
        let realm = "https://id.example.edu/realms/x/.well-known/openid-configuration"
        #expect(refusal(read(document("https://id.example.edu/realms/x"), from: realm)) == nil)
        for other in ["https://evil.example", "https://id.example.edu/realms/x", "http://id.example.edu", ""] {
            #expect(refusal(read(document(other))) == .wrongIssuer)
        }
    }

    @Test(arguments: ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"])
    func everyAddressIsHTTPSOrOnThisMachineWithDebug(name: String) {
        for (address, isFit, isFitWithDebug) in [
            ("https://other.example/x", true, true), ("http://id.example.edu/x", false, false),
            ("http://127.0.0.1:9/x", false, true), ("javascript:alert(1)", false, false), ("", false, false),
        ] {
            let document = document("https://id.example.edu", [name: "\"\(address)\""])
            #expect((refusal(read(document)) == nil) == isFit, "\(address)")
            #expect((refusal(read(document, isDebugging: true)) == nil) == isFitWithDebug, "\(address)")
        }
    }

    @Test(arguments: ["issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"])
    func nothingOfItMayBeMissing(name: String) {
        #expect(refusal(read(document("https://id.example.edu", without: name))) == .providerUnusable)
        #expect(refusal(read(document("https://id.example.edu", [name: "7"]))) == .providerUnusable)
    }

    @Test(arguments: ["", "<html>", "[]", "null", "{"])
    func nonsenseIsNoProvider(text: String) {
        #expect(refusal(read(ByteBuffer(string: text))) == .providerUnusable)
    }
}
