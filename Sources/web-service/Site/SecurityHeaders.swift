import HTTPTypes
import SharedProtocol

/// What every page tells the browser to refuse.
struct SecurityHeaders: Sendable {
    private let fields: [(HTTPField.Name, String)]

    /// Everything comes from this site, scripts and styles from files only. Formulas need no exception: KaTeX's inline
    /// styles are taken out of its HTML before it is parsed, and set one by one through the CSSOM, which the policy does
    /// not restrict. `trusted-types`: only the sanitiser may turn text into HTML.
    static let contentSecurityPolicy = [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "font-src 'self'",
        "connect-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
        "require-trusted-types-for 'script'", "trusted-types dompurify",
    ].joined(separator: "; ")

    init(for origin: WebOrigin) {
        var fields: [(HTTPField.Name, String)] = [
            (.contentSecurityPolicy, Self.contentSecurityPolicy),
            (.xContentTypeOptions, "nosniff"),
            (.referrerPolicy, "same-origin"),
            (.permissionsPolicy, "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
            (.crossOriginOpenerPolicy, "same-origin"),
            (.crossOriginResourcePolicy, "same-origin"),
        ]
        if origin.isSecure { fields.append((.strictTransportSecurity, "max-age=31536000")) }
        self.fields = fields
    }

    func add(to headers: inout HTTPFields) {
        for (name, value) in fields { headers[name] = value }
    }
}
