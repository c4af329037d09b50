import SharedProtocol

/// What an identity provider said of a person at the last login: claims under their names, with their values.
typealias Claims = [String: [String]]

extension GroupConfiguration {
    /// Whether the group's rules make a person with these claims a member. No rules make nobody one.
    func matches(_ claims: Claims) -> Bool {
        guard !rules.isEmpty else { return false }
        return switch match {
        case .all: rules.allSatisfy { $0.matches(claims) }
        case .any: rules.contains { $0.matches(claims) }
        }
    }
}

extension GroupRule {
    /// Values are compared as they are, letter case and all: `Staff@example.edu` may be another's than `staff@example.edu`.
    func matches(_ claims: Claims) -> Bool {
        let values = claims[field.rawValue] ?? []
        return switch matcher {
        case .equals(let text): values.contains(text)
        case .contains(let text): values.contains { $0.contains(text) }
        }
    }
}
