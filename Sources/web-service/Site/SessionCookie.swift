import HTTPTypes
import SharedProtocol

/// The cookie that carries a session's secret. It has no lifetime of its own: the server ends sessions, and closing the
/// browser does.
struct SessionCookie: Sendable, Hashable {
    let name: String
    private let scope: CookieScope

    init(for origin: WebOrigin) {
        scope = CookieScope(for: origin)
        name = scope.prefix + "lumen"
    }

    /// Longest secret that is looked at, in bytes; ours are far shorter.
    static let maximumLength = 128

    /// The secret that a request carries.
    func secret(in request: HTTPRequest) -> String? { request.cookie(name, upTo: Self.maximumLength) }

    /// `Set-Cookie` for a new session.
    func setting(_ secret: String) -> String { "\(name)=\(secret)\(scope.attributes)" }

    /// `Set-Cookie` that makes the browser forget the session.
    var clearing: String { scope.clearing(name) }
}
