import SharedProtocol

/// What a provider says of a person, in the ID token or the userinfo. All of it may be absent; a member of another type
/// than we know counts as absent.
struct PersonClaims: Sendable, Hashable {
    var email: String?
    var isEmailVerified: Bool?
    var name: String?
    var groupClaims: GroupClaims

    init(email: String?, isEmailVerified: Bool?, name: String?, groupClaims: GroupClaims) {
        self.email = email
        self.isEmailVerified = isEmailVerified
        self.name = name
        self.groupClaims = groupClaims
    }

    /// The same, with the other's word for what is absent here. That an address is not verified counts whoever says it.
    func completed(by other: PersonClaims) -> PersonClaims {
        let verified = [isEmailVerified, other.isEmailVerified].compactMap(\.self)
        return PersonClaims(
            email: email ?? other.email, isEmailVerified: verified.isEmpty ? nil : verified.allSatisfy(\.self),
            name: name ?? other.name, groupClaims: groupClaims.completed(by: other.groupClaims))
    }
}

extension PersonClaims: Decodable {
    private enum CodingKeys: String, CodingKey {
        case email
        case emailVerified = "email_verified"
        case name
        case givenName = "given_name"
        case familyName = "family_name"
    }

    init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: CodingKeys.self)
        func text(_ key: CodingKeys) -> String? {
            (try? members.decode(String.self, forKey: key)).flatMap { $0.isEmpty ? nil : $0 }
        }
        email = text(.email)
        // Some providers write it as a string.
        isEmailVerified =
            (try? members.decode(Bool.self, forKey: .emailVerified)) ?? text(.emailVerified).map { $0 == "true" }
        let parts = [text(.givenName), text(.familyName)].compactMap(\.self)
        name = text(.name) ?? (parts.isEmpty ? nil : parts.joined(separator: " "))
        groupClaims = try GroupClaims(from: decoder)
    }
}
