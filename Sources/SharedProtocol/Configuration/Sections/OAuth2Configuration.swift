/// `oauth2`: the OpenID Connect provider that people log in with.
public struct OAuth2Configuration: Sendable, Hashable {
    public var clientID: String
    public var clientSecret: Secret
    /// The provider's discovery document.
    public var serverMetadataURL: WebAddress
    /// Where the provider sends people back to; its path is where the callback is served.
    public var redirectURI: WebAddress
    public var scopes: [String]
    /// Added to the authorize URL.
    public var parameters: [String: String]
}

extension OAuth2Configuration {
    /// Nothing when the file and the environment say nothing about a provider, or when a problem was reported.
    static func read(_ root: ConfigurationSection) -> OAuth2Configuration? {
        let section = root.section("oauth2")
        let isThere = root.has("oauth2") || section.hasOverrides
        func demand<Value>(_ key: String, _ format: ScalarFormat<Value>) -> Value? {
            isThere ? section.require(key, format) : section.read(key, format)
        }
        let clientID = demand("client_id", .nonEmptyText)
        let clientSecret = demand("client_secret", .secret)
        let metadata = demand("server_metadata_url", .webAddress)
        let redirect = demand("redirect_uri", .webAddress)
        let scopes = section.read("scopes", .nonEmptyText, default: "openid email profile")
        let parameters = readParameters(section.section("params"))
        section.finish()
        guard let clientID, let clientSecret, let metadata, let redirect else { return nil }
        let words = scopes.split(whereSeparator: \.isWhitespace).map(String.init)
        if !words.contains("openid") { section.complain("scopes", "must contain “openid”") }
        return OAuth2Configuration(
            clientID: clientID, clientSecret: clientSecret, serverMetadataURL: metadata, redirectURI: redirect,
            scopes: words, parameters: parameters)
    }

    /// Any name is possible here; those that Lumen sets itself are not.
    private static func readParameters(_ section: ConfigurationSection) -> [String: String] {
        let ours = [
            "client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "code_challenge",
            "code_challenge_method",
        ]
        var parameters: [String: String] = [:]
        for name in section.remainingKeys {
            if ours.contains(name) { section.complain(name, "is set by Lumen itself") }
            parameters[name] = section.readNamed(name, as: "<name>", .text)
        }
        return parameters
    }

    /// The rules that tie the provider to the rest of the configuration.
    static func check(_ oauth2: OAuth2Configuration?, app: AppConfiguration, in root: ConfigurationSection) {
        guard let oauth2 else {
            if !root.has("oauth2"), app.devUserAsWritten == nil {
                root.complain("oauth2", "required: nobody could log in (or set app.dev_user together with app.debug)")
            }
            return
        }
        if !oauth2.serverMetadataURL.origin.isFitForLogin(debug: app.debug) {
            root.section("oauth2").complain(
                "server_metadata_url", "must be https (http is for a provider on this machine, with app.debug)")
        }
    }
}
