/// The keys that take effect only with a restart: sockets, databases and secrets are bound when a service starts.
extension LumenConfiguration {
    /// This configuration as it may come into force in a process that runs `running`.
    ///
    /// - Returns: the running values of every key that needs a restart with the new values of the others, and the names
    ///   of the keys that were changed in vain.
    func keepingRestartKeys(of running: LumenConfiguration) -> (LumenConfiguration, changed: [String]) {
        var merged = self
        var changed: [String] = []
        for key in Self.restartKeys where key.keep(running, &merged) { changed.append(key.name) }
        return (merged, changed)
    }

    private struct RestartKey: Sendable {
        let name: String
        /// Puts the running value in place; whether it was another.
        let keep: @Sendable (_ running: LumenConfiguration, _ new: inout LumenConfiguration) -> Bool

        init<Value: Equatable & SendableMetatype>(
            _ name: String, _ path: any WritableKeyPath<LumenConfiguration, Value> & Sendable
        ) {
            self.name = name
            keep = { running, new in
                guard running[keyPath: path] != new[keyPath: path] else { return false }
                new[keyPath: path] = running[keyPath: path]
                return true
            }
        }
    }

    private static let restartKeys = [
        RestartKey("app.secret_key", \.app.secretKey),
        RestartKey("app.encryption_key", \.app.encryptionKey),
        RestartKey("app.database_url", \.app.databaseURL),
        RestartKey("app.db_pool", \.app.databasePool),
        RestartKey("app.debug", \.app.debug),
        RestartKey("app.listen", \.app.listen),
        RestartKey("app.public_url", \.app.publicURL),
        RestartKey("app.run_dir", \.app.runDirectory),
        RestartKey("app.trusted_proxies", \.app.trustedProxies),
        RestartKey("rate_limiting.storage_url", \.rateLimiting.storage),
    ]
}
