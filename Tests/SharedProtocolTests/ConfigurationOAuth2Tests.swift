import Testing

@testable import SharedProtocol

@Suite struct ConfigurationOAuth2Tests {
    private let noDebug = """
        app:
          secret_key: 0123456789abcdef0123456789abcdef
          encryption_key: other

        """
    private let provider = """
        oauth2:
          client_id: me
          client_secret: hush
          server_metadata_url: https://idp.example/.well-known/openid-configuration
          redirect_uri: https://lumen.example.edu/callback

        """

    @Test func providerIsRequiredWithoutDevUser() {
        #expect(problems(noDebug).count == 1)
        #expect(problems(noDebug).first?.hasPrefix("config.yaml:1: oauth2: required") == true)
    }

    @Test func publicURLIsTheOriginOfTheRedirect() throws {
        let configuration = try load(noDebug + provider)
        #expect(configuration.app.publicURL.description == "https://lumen.example.edu")
        #expect(configuration.oauth2?.redirectURI.path == "/callback")
        #expect(configuration.oauth2?.scopes == ["openid", "email", "profile"])
    }

    @Test func writtenPublicURLWinsAndDifferenceIsAWarning() throws {
        let configuration = try load(noDebug + "  public_url: https://other.example\n" + provider)
        #expect(configuration.app.publicURL.description == "https://other.example")
        #expect(configuration.warnings.contains { $0.hasPrefix("oauth2.redirect_uri: ") })
    }

    @Test(arguments: ["client_id", "client_secret", "server_metadata_url", "redirect_uri"])
    func everyKeyOfAProviderIsRequired(key: String) {
        let lines = provider.split(separator: "\n").filter { !$0.contains(key) }.joined(separator: "\n")
        let found = problems(noDebug + lines)
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("config.yaml:4: oauth2.\(key): required: ") == true)
    }

    @Test func scopesContainOpenID() {
        #expect(
            problems(noDebug + provider + "  scopes: email\n") == [
                "config.yaml:9: oauth2.scopes: must contain “openid”"
            ])
    }

    @Test func httpProviderIsRefusedButOnLoopbackWithDebug() throws {
        let http = provider.replacing("https://idp.example", with: "http://127.0.0.1:4567")
        #expect(problems(noDebug + http).first?.hasPrefix("config.yaml:7: oauth2.server_metadata_url: ") == true)
        _ = try load(noDebug + "  debug: true\n" + http)
        let remote = provider.replacing("https://idp.example", with: "http://idp.example")
        #expect(problems(noDebug + "  debug: true\n" + remote).count == 1)
    }

    @Test(arguments: ["", "/", "/?a=b", "/callback?a=b"])
    func theCallbackNeedsAPathOfItsOwn(path: String) {
        let changed = provider.replacing("edu/callback", with: "edu" + path)
        #expect(problems(noDebug + changed).map { $0.prefix(34) } == ["config.yaml:8: oauth2.redirect_uri"])
    }

    @Test func anAddressThatNoIssuerFollowsFromIsAWarning() throws {
        func warns(_ text: String) throws -> Bool {
            try load(noDebug + text).warnings.contains { $0.hasPrefix("oauth2.server_metadata_url: ") }
        }
        #expect(try !warns(provider))
        #expect(try warns(provider.replacing("openid-configuration", with: "oauth-authorization-server")))
    }

    @Test func parametersAreTakenAsWritten() throws {
        let configuration = try load(noDebug + provider + "  params:\n    idphint: urn:mace:incommon:uiuc.edu\n")
        #expect(configuration.oauth2?.parameters == ["idphint": "urn:mace:incommon:uiuc.edu"])
    }

    @Test func parameterThatLumenSetsItselfIsAnError() {
        #expect(
            problems(noDebug + provider + "  params:\n    state: x\n") == [
                "config.yaml:10: oauth2.params.state: is set by Lumen itself"
            ])
    }
}
