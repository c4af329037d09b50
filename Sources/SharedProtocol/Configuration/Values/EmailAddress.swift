/// E-mail addresses as names of people: compared without regard to case.
public enum EmailAddress {
    /// The address in lower case; nothing when it cannot be one. Whether anyone reads mail there is not asked.
    ///
    /// A letter that would become another one's plain letter, as the Kelvin sign becomes k, is refused: it would make the
    /// address somebody else's.
    public static func normalized(_ text: String) -> String? {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        let isPlausible =
            parts.count == 2 && parts.allSatisfy { !$0.isEmpty } && text.utf8.count <= 254
            && !text.unicodeScalars.contains { $0.properties.isWhitespace || $0.value < 32 || $0.value == 127 }
        return isPlausible && !text.unicodeScalars.contains(where: \.becomesASCII) ? text.lowercased() : nil
    }
}

extension Unicode.Scalar {
    /// Whether the lower case of something else than ASCII has ASCII in it.
    fileprivate var becomesASCII: Bool {
        !isASCII && properties.lowercaseMapping.unicodeScalars.contains(where: \.isASCII)
    }
}
