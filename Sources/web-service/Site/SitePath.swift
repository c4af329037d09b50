import SharedProtocol

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

    /// For a query parameter.
    var percentEncoded: String { description.percentEncoded }
}
