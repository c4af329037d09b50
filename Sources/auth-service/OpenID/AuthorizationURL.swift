import SharedProtocol

/// Where the browser is sent to log in (OpenID Connect Core 1.0, section 3.1.2.1).
enum AuthorizationURL {
    static func text(
        _ attempt: LoginAttempt, _ key: LoginKey, _ oauth2: OAuth2Configuration, endpoint: String
    ) -> String {
        let ours = [
            ("response_type", "code"), ("client_id", oauth2.clientID),
            ("redirect_uri", oauth2.redirectURI.description), ("scope", oauth2.scopes.joined(separator: " ")),
            ("state", attempt.state), ("nonce", attempt.nonce(key)), ("code_challenge", attempt.challenge(key)),
            ("code_challenge_method", "S256"),
        ]
        let theirs = oauth2.parameters.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        let query = (ours + theirs).map { "\($0.0.percentEncoded)=\($0.1.percentEncoded)" }
        return endpoint + (endpoint.contains("?") ? "&" : "?") + query.joined(separator: "&")
    }
}
