extension LumenConfiguration {
    /// What is allowed and yet likely a mistake: sentences for the operator, none of which stops anything.
    public var warnings: [String] {
        var warnings: [String] = []
        if !models.contains(where: \.isActive) {
            warnings.append("models: no model is active, so nobody can chat.")
        }
        if !app.publicURL.isSecure, !app.publicURL.isLoopback {
            warnings.append("app.public_url: the site is not https, so sessions can be stolen on the way.")
        }
        if let redirect = oauth2?.redirectURI.origin, redirect != app.publicURL {
            warnings.append(
                "oauth2.redirect_uri: is on \(redirect), but the site is \(app.publicURL); logins will fail.")
        }
        if let address = oauth2?.serverMetadataURL, !address.path.hasSuffix(OAuth2Configuration.wellKnownPath) {
            warnings.append(
                "oauth2.server_metadata_url: does not end with \(OAuth2Configuration.wellKnownPath), so no issuer "
                    + "follows from it; logins will fail.")
        }
        if app.encryptionKey == app.secretKey {
            warnings.append("app.encryption_key: is the same as app.secret_key; use two secrets.")
        }
        if let name = app.devUser {
            warnings.append("app.dev_user: everyone who reaches the site can log in as \(name) without a password.")
        }
        if groups.values.allSatisfy(\.givesNothing) {
            warnings.append("groups: no group has a budget, so nobody can use a model.")
        }
        return warnings
    }
}

extension GroupConfiguration {
    fileprivate var givesNothing: Bool {
        let budgets = Array(modelBudgets.values) + [defaultBudget].compactMap { $0 }
        return isDisabled || budgets.allSatisfy { $0.max == .tokens(0) }
    }
}
