import SharedProtocol

/// A fresh API key in clear: `sk-lumen-` and 256 random bits in base 62. Only ever made here, never taken from a client.
struct KeySecret {
    let text: String

    private static let prefix = "sk-lumen-"
    private static let randomLength = 43

    static func random() -> KeySecret { KeySecret(text: prefix + RandomText.base62(randomLength)) }

    /// The first and last two random characters: enough to tell one's keys apart, too few to guess from.
    var hint: String { Self.prefix + text.dropFirst(Self.prefix.count).prefix(2) + "…" + text.suffix(2) }
}

extension Auth.KeyOwner {
    /// With the address in the form in which users are stored. Throws `refused` when it is none.
    func normalized() throws(CallError) -> Auth.KeyOwner {
        guard case .email(let text) = self else { return self }
        guard let email = EmailAddress.normalized(text) else {
            throw CallError(.refused, "That is not an e-mail address.")
        }
        return .email(email)
    }
}
