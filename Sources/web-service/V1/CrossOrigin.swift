import HTTPTypes
import SharedProtocol

/// Lets pages of the sites in `api.cors_origins` call the API from a browser (WHATWG Fetch, 3.2). An API key is all that counts
/// below `/v1`, never a cookie, so requests with credentials are not allowed, and `*` gives nothing away.
struct CrossOrigin: Sendable {
    /// How long a browser may remember the answer to a preflight, in seconds; browsers take no more.
    static let maxAgeSeconds = 7200
    /// Request headers that a page may send, beside those of the official clients, which begin with `x-stainless-`.
    static let allowedHeaders: Set<String> = [
        "accept", "authorization", "content-type", "idempotency-key", "openai-beta", "openai-organization",
        "openai-project", "user-agent",
    ]
    private static let exposedHeaders = [
        HTTPField.Name.requestID, .limitRequests, .remainingRequests, .resetRequests, .retryAfter, .shouldRetry,
        .limitedBy, .outputLimit, .idempotentReplayed,
    ].map(\.canonicalName).joined(separator: ", ")

    /// The value of `Access-Control-Allow-Origin`; nil: the request's origin may not read the reply, or has none.
    private let allowed: String?
    /// The reply is another for another origin.
    private let varies: Bool

    init(_ headers: HTTPFields, _ configuration: APIConfiguration) {
        varies = !configuration.allowsAnyOrigin && !configuration.corsOrigins.isEmpty
        if configuration.allowsAnyOrigin {
            allowed = "*"
        } else if varies, let origin = headers[.origin] {
            allowed = configuration.corsOrigins.contains { $0.description == origin } ? origin : nil
        } else {
            allowed = nil
        }
    }

    func add(to headers: inout HTTPFields) {
        if varies { headers.append(HTTPField(name: .vary, value: "Origin")) }
        guard let allowed else { return }
        headers[.accessControlAllowOrigin] = allowed
        headers[.accessControlExposeHeaders] = Self.exposedHeaders
    }

    /// What the answer to an OPTIONS says beside `Allow`; nothing when it is no preflight, or of an origin that is not allowed.
    func preflight(_ headers: HTTPFields, methods: String) -> HTTPFields {
        guard allowed != nil, headers[.origin] != nil, headers[.accessControlRequestMethod] != nil else { return [:] }
        var answer: HTTPFields = [
            .accessControlAllowMethods: methods, .accessControlMaxAge: "\(Self.maxAgeSeconds)",
            .vary: "Access-Control-Request-Headers",
        ]
        let wanted = (headers[.accessControlRequestHeaders] ?? "").split { $0 == "," || $0 == " " }
        let granted = wanted.lazy.map { $0.lowercased() }.filter {
            Self.allowedHeaders.contains($0) || $0.hasPrefix("x-stainless-")
        }
        if !granted.isEmpty { answer[.accessControlAllowHeaders] = granted.joined(separator: ", ") }
        return answer
    }
}
