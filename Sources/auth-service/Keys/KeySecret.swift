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

/// The name that a user gives to a key.
struct KeyName {
    let text: String

    private static let mostCharacters = 100
    /// A character may be many bytes; this bounds what is stored.
    private static let mostBytes = 400

    /// Takes off white space at both ends. Throws `refused` when nothing or too much is left.
    init(_ text: String) throws(CallError) {
        let trimmed = text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed()
        self.text = String(trimmed)
        let isPrintable = !self.text.unicodeScalars.contains { $0.value < 32 || $0.value == 127 }
        guard isPrintable, 1...Self.mostCharacters ~= self.text.count, self.text.utf8.count <= Self.mostBytes else {
            throw CallError(.refused, "A key's name has 1 to \(Self.mostCharacters) characters on one line.")
        }
    }
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
