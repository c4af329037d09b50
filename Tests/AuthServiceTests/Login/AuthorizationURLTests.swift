import SharedProtocol
import Testing

@testable import auth_service

@Suite struct AuthorizationURLTests {
    private let key = LoginKey("0123456789abcdef0123456789abcdef")

    private func oauth2(_ params: String = "{}") throws -> OAuth2Configuration {
        let configuration = try AuthFixture.load(
            """
            app: {secret_key: 0123456789abcdef0123456789abcdef, encryption_key: other}
            oauth2:
              client_id: cilogon:/client_id/1 2
              client_secret: s:e&cret
              server_metadata_url: https://id.example.edu/.well-known/openid-configuration
              redirect_uri: https://chat.example.edu/callback
              scopes: openid email org.cilogon.userinfo
              params: \(params)
            """)
        return try #require(configuration.oauth2)
    }

    private func parameters(_ url: String) -> [String: String] {
        let pairs = url.split(separator: "?").dropFirst().joined(separator: "?").split(separator: "&")
        return Dictionary(
            uniqueKeysWithValues: pairs.map { pair in
                let parts = pair.split(separator: "=", maxSplits: 1)
                return (String(parts[0]), String(parts[1]))
            })
    }

    @Test func theAddressAsksForACodeWithEverythingThatTiesItToTheAttempt() throws {
        let attempt = LoginAttempt(next: "/", at: Timestamp(0), key)
        let url = AuthorizationURL.text(attempt, key, try oauth2(), endpoint: "https://id.example.edu/authorize")
        #expect(url.hasPrefix("https://id.example.edu/authorize?"))
        #expect(
            parameters(url) == [
                "response_type": "code", "client_id": "cilogon%3A/client_id/1%202",
                "redirect_uri": "https%3A//chat.example.edu/callback", "scope": "openid%20email%20org.cilogon.userinfo",
                "state": attempt.state, "nonce": attempt.nonce(key), "code_challenge": attempt.challenge(key),
                "code_challenge_method": "S256",
            ])
    }

    @Test func theConfigurationsOwnParametersAreAddedToAnEndpointsQuery() throws {
        let oauth2 = try oauth2("{idphint: 'urn:a, urn:b', prompt: select_account}")
        let attempt = LoginAttempt(next: "/", at: Timestamp(0), key)
        let url = AuthorizationURL.text(attempt, key, oauth2, endpoint: "https://id.example.edu/authorize?skin=blue")
        let sent = parameters(url)
        #expect(sent["skin"] == "blue")
        #expect(sent["idphint"] == "urn%3Aa%2C%20urn%3Ab")
        #expect(sent["prompt"] == "select_account")
        #expect(oauth2.hintedInstitutions == ["urn:a", "urn:b"])
        #expect(try self.oauth2().hintedInstitutions == [])
    }

    @Test func theTokenRequestSaysWhoAsksInEitherWay() throws {
        let inForm = TokenRequest(code: "c", verifier: "v", try oauth2(), .post)
        #expect(inForm.headers.isEmpty)
        #expect(
            inForm.form.map { "\($0.name)=\($0.value)" } == [
                "grant_type=authorization_code", "code=c", "redirect_uri=https://chat.example.edu/callback",
                "code_verifier=v", "client_id=cilogon:/client_id/1 2", "client_secret=s:e&cret",
            ])
        let inHeader = TokenRequest(code: "c", verifier: "v", try oauth2(), .basic)
        #expect(inHeader.form.count == 4)
        // cilogon%3A/client_id/1%202:s%3Ae%26cret
        #expect(inHeader.headers.map(\.value) == ["Basic Y2lsb2dvbiUzQS9jbGllbnRfaWQvMSUyMDI6cyUzQWUlMjZjcmV0"])
    }
}
