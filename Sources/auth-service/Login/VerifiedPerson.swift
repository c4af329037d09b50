import SharedProtocol

/// Somebody whom the provider vouches for, and whom the configuration lets in.
struct VerifiedPerson: Sendable, Hashable {
    let identity: Auth.Identity
    /// In lower case.
    let email: String
    /// What people read; absent when the provider does not say.
    let name: String?
    let groupClaims: GroupClaims

    /// Characters of a name; the rest is cut off.
    private static let longestName = 100

    /// - Parameter claims: those of the ID token, completed from the userinfo.
    init(_ identity: Auth.Identity, _ claims: PersonClaims, hints: [String]) throws(LoginProblem) {
        if !hints.isEmpty, !claims.groupClaims.institutions.contains(where: hints.contains) {
            throw LoginProblem(.institutionNotAllowed, "the identity provider is not one that idphint names")
        }
        guard let email = claims.email.flatMap(EmailAddress.normalized) else {
            throw LoginProblem(.emailMissing, "the provider says no e-mail address")
        }
        if claims.isEmailVerified == false {
            throw LoginProblem(.emailUnverified, "the provider says that the e-mail address is not verified")
        }
        self.identity = identity
        self.email = email
        name = claims.name.flatMap(Self.name)
        groupClaims = claims.groupClaims
    }

    /// On one line, as a name is; nil when nothing is left.
    private static func name(_ text: String) -> String? {
        let words = text.withoutDirectionControls.split {
            $0.isWhitespace || $0.unicodeScalars.contains { $0.value < 32 || $0.value == 127 }
        }
        let name = words.joined(separator: " ").prefix(longestName)
        return name.isEmpty ? nil : String(name)
    }
}

extension OAuth2Configuration {
    /// The only institutions whose people are let in; empty when all are. CILogon takes several, with commas between.
    var hintedInstitutions: [String] {
        (parameters["idphint"] ?? "").split(separator: ",").map { String($0).trimmed }.filter { !$0.isEmpty }
    }
}
