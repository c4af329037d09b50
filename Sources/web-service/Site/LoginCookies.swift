import HTTPTypes
import SharedProtocol

/// The cookies that tie attempts to log in to a browser: one for each, so that several tabs can log in at once. What is in
/// them is auth's business.
struct LoginCookies: Sendable, Hashable {
    private let scope: CookieScope
    private let prefix: String

    /// Attempts of one browser that are open at once; the oldest are given up.
    static let most = 5
    /// Longest value that is looked at, in bytes. Five of these fit into one header field.
    static let maximumLength = 2_000

    init(for origin: WebOrigin) {
        scope = CookieScope(for: origin)
        prefix = scope.prefix + "lumen-login-"
    }

    func value(of attempt: LoginAttemptID, in request: HTTPRequest) -> String? {
        request.cookie(prefix + attempt.rawValue, upTo: Self.maximumLength)
    }

    /// Every `Set-Cookie` of a new attempt: its own, and those that make room for it.
    func setting(_ attempt: Auth.LoginAttempt, in request: HTTPRequest) -> [String] {
        let open = request.cookies.map(\.name).filter { $0.hasPrefix(prefix) }
        let lifetime = "; Max-Age=\(Auth.LoginAttempt.lifetime.components.seconds)"
        return open.dropLast(Self.most - 1).map { scope.clearing(String($0)) }
            + ["\(prefix)\(attempt.id)=\(attempt.cookie)\(scope.attributes)\(lifetime)"]
    }

    /// `Set-Cookie` of an attempt that is over.
    func clearing(_ attempt: LoginAttemptID) -> String { scope.clearing(prefix + attempt.rawValue) }
}
