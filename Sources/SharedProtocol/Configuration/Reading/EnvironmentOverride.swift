import Yams

/// A value from the environment that takes the place of the file's, so that secrets and per-instance settings need not be
/// written there. An empty variable counts as not set.
struct EnvironmentOverride {
    var variable: String
    var node: Node

    private static let keys = [
        "LUMEN_SECRET_KEY": "app.secret_key",
        "LUMEN_ENCRYPTION_KEY": "app.encryption_key",
        "DATABASE_URL": "app.database_url",
        "LUMEN_LISTEN": "app.listen",
        "LUMEN_RUN_DIR": "app.run_dir",
        "OAUTH2_CLIENT_ID": "oauth2.client_id",
        "OAUTH2_CLIENT_SECRET": "oauth2.client_secret",
        "OAUTH2_SERVER_METADATA_URL": "oauth2.server_metadata_url",
        "OAUTH2_REDIRECT_URI": "oauth2.redirect_uri",
        "OAUTH2_SCOPES": "oauth2.scopes",
        "OAUTH2_PARAMS": "oauth2.params",
    ]

    /// What this environment sets, by the full path of the key.
    static func all(in environment: [String: String]) -> [String: EnvironmentOverride] {
        var overrides: [String: EnvironmentOverride] = [:]
        for (variable, key) in keys {
            guard let value = environment[variable], !value.isEmpty else { continue }
            let node = key == "oauth2.params" ? parameters(value) : Node.scalar(.init(value, .implicit, .doubleQuoted))
            overrides[key] = EnvironmentOverride(variable: variable, node: node)
        }
        return overrides
    }

    /// `idphint=urn:x&prompt=login` as the section that it stands for.
    private static func parameters(_ text: String) -> Node {
        let pairs = text.split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (parts.first.map(String.init) ?? "", parts.count == 2 ? String(parts[1]) : "")
        }
        return Node.mapping(
            .init(
                Dictionary(pairs) { $1 }.sorted { $0.key < $1.key }.map { key, value in
                    (Node.scalar(.init(key)), Node.scalar(.init(value, .implicit, .doubleQuoted)))
                }))
    }
}
