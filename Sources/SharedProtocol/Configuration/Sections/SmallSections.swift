/// The sections of a few keys each.

/// `sessions`: how long a browser stays logged in.
public struct SessionConfiguration: Sendable, Hashable {
    /// Without any request.
    public var idle: Duration
    /// In all.
    public var absolute: Duration
}

/// `chat`.
public struct ChatConfiguration: Sendable, Hashable {
    public var removal: Removal

    /// What removing a conversation does with its rows.
    public enum Removal: String, Sendable, Hashable, CaseIterable {
        case hide, delete
    }
}

/// `rate_limiting`: requests per user.
public struct RateLimitingConfiguration: Sendable, Hashable {
    /// All must hold; at least one.
    public var limits: [RateLimit]
    /// Where the counters are shared; in each process of its own, if absent.
    public var storage: RedisAddress?
}

/// `api`: the OpenAI-compatible interface.
public struct APIConfiguration: Sendable, Hashable {
    /// Pages of these sites may call the API.
    public var corsOrigins: Set<WebOrigin>
    /// Pages of every site may: `*` is in the list.
    public var allowsAnyOrigin: Bool
    public var maxKeysPerUser: Int
    /// Failed authentications per client address.
    public var failedAuthLimit: [RateLimit]
}

/// `usage`.
public struct UsageConfiguration: Sendable, Hashable {
    /// How many days usage events are kept; for ever, if absent.
    public var retentionDays: Int?
}

/// `metrics`.
public struct MetricsConfiguration: Sendable, Hashable {
    /// The bearer token for `/metrics`; only loopback peers may read it, if absent.
    public var token: Secret?
}

extension SessionConfiguration {
    init(_ section: ConfigurationSection) {
        idle = section.read("idle", .duration, default: .seconds(12 * 3600))
        absolute = section.read("absolute", .duration, default: .seconds(7 * 86_400))
        section.finish()
        if idle > absolute { section.complain("idle", "is longer than sessions.absolute, and would never be reached") }
    }
}

extension ChatConfiguration {
    init(_ section: ConfigurationSection) {
        removal = section.read("remove", .oneOf, default: .hide)
        section.finish()
    }
}

extension RateLimitingConfiguration {
    init(_ section: ConfigurationSection) {
        limits = section.read("limit", .rateLimits, default: [RateLimit(count: 30, windowSeconds: 60)])
        storage = section.read("storage_url", .redisAddress)
        section.finish()
    }
}

extension APIConfiguration {
    init(_ section: ConfigurationSection) {
        let origins = section.readList("cors_origins", .originOrAny) ?? []
        corsOrigins = Set(origins.compactMap(\.site))
        allowsAnyOrigin = origins.contains { $0.site == nil }
        maxKeysPerUser = section.read("max_keys_per_user", .integer(0...10_000), default: 20)
        failedAuthLimit = section.read(
            "failed_auth_limit", .rateLimits, default: [RateLimit(count: 20, windowSeconds: 60)])
        section.finish()
    }
}

extension UsageConfiguration {
    init(_ section: ConfigurationSection) {
        retentionDays = section.read("retention_days", .integer(1...36_500))
        section.finish()
    }
}

extension MetricsConfiguration {
    init(_ section: ConfigurationSection) {
        token = section.read("token", .secret)
        section.finish()
    }
}

/// A member of `api.cors_origins`.
struct AllowedOrigin: Sendable {
    /// Nil: any.
    var site: WebOrigin?
}

extension ScalarFormat where Value == AllowedOrigin {
    static var originOrAny: Self {
        ScalarFormat("“*”, or an http or https address without a path, such as “https://app.example.edu”") {
            if $0.text == "*" { return AllowedOrigin() }
            return ScalarFormat<WebOrigin>.origin.parse($0).map { AllowedOrigin(site: $0) }
        }
    }
}

extension ScalarFormat where Value == RedisAddress {
    static var redisAddress: Self {
        ScalarFormat("“redis://[:password@]host:port/database” or “unix:///path”", isSecret: true) {
            RedisAddress($0.text)
        }
    }
}
