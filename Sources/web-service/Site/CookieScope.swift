import HTTPTypes
import SharedProtocol

/// What all our cookies have in common: for this host only, out of reach of scripts, and not sent along when another site
/// asks for something, unless the person goes here.
struct CookieScope: Sendable, Hashable {
    /// Begins each name. On https, `__Host-` keeps other hosts of the same domain from setting the cookie.
    let prefix: String
    /// Ends each `Set-Cookie`.
    let attributes: String

    init(for origin: WebOrigin) {
        prefix = origin.isSecure ? "__Host-" : ""
        attributes = "; Path=/; HttpOnly; SameSite=Lax" + (origin.isSecure ? "; Secure" : "")
    }

    /// `Set-Cookie` that makes the browser forget a cookie.
    func clearing(_ name: String) -> String { "\(name)=\(attributes); Max-Age=0" }
}

extension HTTPRequest {
    /// In the order in which the browser sent them: of those with paths alike, the oldest comes first.
    var cookies: [(name: Substring, value: Substring)] {
        headerFields[values: .cookie].flatMap { $0.split(separator: ";") }.compactMap { pair in
            let pair = pair.drop { $0 == " " }
            guard let end = pair.firstIndex(of: "=") else { return nil }
            return (pair[..<end], pair[pair.index(after: end)...])
        }
    }

    /// A cookie's value. A name that comes twice is none: one of the two is somebody else's.
    ///
    /// - Parameter most: bytes of the longest value that is looked at.
    func cookie(_ name: String, upTo most: Int) -> String? {
        let values = cookies.filter { $0.name == name }.map(\.value)
        guard values.count == 1, let value = values.first, 1...most ~= value.utf8.count else { return nil }
        return String(value)
    }
}
