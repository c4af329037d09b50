/// A path of this very site, safe to redirect to after a login.
struct SitePath: Hashable, CustomStringConvertible {
    let description: String

    static let chat = SitePath(trusted: "/chat")
    static let maximumLength = 1_000

    private init(trusted path: String) { description = path }

    /// Nil for anything that a browser could take for another site: `//host`, `/\host`, `https:…`, control characters.
    init?(_ text: String) {
        guard text.hasPrefix("/"), text.utf8.count <= Self.maximumLength,
            text.utf8.allSatisfy({ 0x21...0x7E ~= $0 && $0 != UInt8(ascii: "\\") }), !text.hasPrefix("//")
        else { return nil }
        description = text
    }

    /// For a query parameter: all but letters, digits and `-._~/` escaped.
    var percentEncoded: String {
        let digits = Array("0123456789ABCDEF".utf8)
        let plain = Set("-._~/".utf8)
        let bytes = description.utf8.flatMap { byte -> [UInt8] in
            let isAlphanumeric = 0x30...0x39 ~= byte || 0x41...0x5A ~= byte || 0x61...0x7A ~= byte
            guard !isAlphanumeric, !plain.contains(byte) else { return [byte] }
            return [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
