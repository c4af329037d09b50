import Testing

@testable import SharedProtocol

@Suite struct ConfigurationEnvironmentTests {
    @Test func environmentWinsOverTheFile() throws {
        let configuration = try loadLeast(
            and: "  listen: 127.0.0.1:1\n  run_dir: a\n  database_url: sqlite:///a.db\n",
            environment: [
                "LUMEN_SECRET_KEY": "ffffffffffffffffffffffffffffffff", "LUMEN_ENCRYPTION_KEY": "e",
                "DATABASE_URL": "sqlite:////b.db", "LUMEN_LISTEN": "127.0.0.1:2", "LUMEN_RUN_DIR": "/b",
            ])
        #expect(configuration.app.secretKey.reveal() == "ffffffffffffffffffffffffffffffff")
        #expect(configuration.app.encryptionKey.reveal() == "e")
        #expect(configuration.app.databaseURL == .sqlite(path: "/b.db"))
        #expect(configuration.app.listen.port == 2)
        #expect(configuration.app.runDirectory == "/b")
    }

    @Test func secretsNeedNotBeInTheFile() throws {
        let configuration = try load(
            "app:\n  debug: true\n  dev_user: a@b.example\n",
            environment: ["LUMEN_SECRET_KEY": String(repeating: "s", count: 32), "LUMEN_ENCRYPTION_KEY": "e"])
        #expect(configuration.app.encryptionKey == Secret("e"))
    }

    @Test func derivedValuesAreDerivedAfterEverythingIsMerged() throws {
        let configuration = try loadLeast(and: "", environment: ["LUMEN_LISTEN": "127.0.0.1:8080"])
        #expect(configuration.app.publicURL.description == "http://127.0.0.1:8080")
        let redirected = try loadLeast(
            and: "",
            environment: [
                "OAUTH2_CLIENT_ID": "me", "OAUTH2_CLIENT_SECRET": "s",
                "OAUTH2_SERVER_METADATA_URL": "https://idp.example/x",
                "OAUTH2_REDIRECT_URI": "https://lumen.example.edu/callback", "OAUTH2_SCOPES": "openid",
                "OAUTH2_PARAMS": "idphint=urn:x&prompt=login",
            ])
        #expect(redirected.app.publicURL.isSecure)
        #expect(redirected.oauth2?.clientID == "me")
        #expect(redirected.oauth2?.scopes == ["openid"])
        #expect(redirected.oauth2?.parameters == ["idphint": "urn:x", "prompt": "login"])
    }

    @Test func emptyVariableCountsAsNotSet() throws {
        let configuration = try loadLeast(and: "  listen: 127.0.0.1:1\n", environment: ["LUMEN_LISTEN": ""])
        #expect(configuration.app.listen.port == 1)
    }

    @Test func problemNamesTheVariable() {
        #expect(
            problems(leastConfiguration, environment: ["LUMEN_LISTEN": "nowhere"]) == [
                "environment LUMEN_LISTEN: app.listen: expected an address and port such as “127.0.0.1:5000” or "
                    + "“[::1]:5000”, found “nowhere”"
            ])
    }

    @Test func partOfAProviderFromTheEnvironmentNeedsTheRest() {
        let found = problems(leastConfiguration, environment: ["OAUTH2_CLIENT_SECRET": "s"])
        #expect(found.count == 3)
        #expect(found.allSatisfy { $0.contains(": required: ") })
    }
}
