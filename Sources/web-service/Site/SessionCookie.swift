import HTTPTypes
import SharedProtocol

/// The cookie that carries a session's secret. It has no lifetime of its own: the server ends sessions, and closing the
/// browser does.
struct SessionCookie: Sendable, Hashable {
    let name: String
    private let isSecure: Bool

    /// On https the prefix `__Host-` keeps other hosts of the same domain from setting it.
    init(for origin: WebOrigin) {
        isSecure = origin.isSecure
        name = isSecure ? "__Host-lumen" : "lumen"
    }

    /// Longest secret that is looked at, in bytes; ours are far shorter.
    static let maximumLength = 128

    /// The secret that a request carries. A name that comes twice is none: one of the two is somebody else's.
    func secret(in request: HTTPRequest) -> String? {
        let values = request.headerFields[values: .cookie]
            .flatMap { $0.split(separator: ";") }
            .compactMap { pair -> Substring? in
                let pair = pair.drop { $0 == " " }
                guard pair.hasPrefix(name), pair.dropFirst(name.count).first == "=" else { return nil }
                return pair.dropFirst(name.count + 1)
            }
        guard values.count == 1, let value = values.first, !value.isEmpty, value.utf8.count <= Self.maximumLength
        else { return nil }
        return String(value)
    }

    /// `Set-Cookie` for a new session.
    func setting(_ secret: String) -> String { "\(name)=\(secret)\(attributes)" }

    /// `Set-Cookie` that makes the browser forget the session.
    var clearing: String { "\(name)=\(attributes); Max-Age=0" }

    private var attributes: String { "; Path=/; HttpOnly; SameSite=Lax" + (isSecure ? "; Secure" : "") }
}
