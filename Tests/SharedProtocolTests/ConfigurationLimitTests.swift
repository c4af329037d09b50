import Testing

@testable import SharedProtocol

/// Rate limits, times and the sections of a few keys.
@Suite struct ConfigurationLimitTests {
    @Test func defaultsAreThoseOfTheTable() throws {
        let configuration = try load(leastConfiguration)
        #expect(configuration.sessions == SessionConfiguration(idle: .seconds(43_200), absolute: .seconds(604_800)))
        #expect(configuration.chat.removal == .hide)
        #expect(configuration.rateLimiting.limits == [RateLimit(count: 30, windowSeconds: 60)])
        #expect(configuration.rateLimiting.storage == nil)
        #expect(configuration.api.corsOrigins.isEmpty)
        #expect(configuration.api.maxKeysPerUser == 20)
        #expect(configuration.api.failedAuthLimit == [RateLimit(count: 20, windowSeconds: 60)])
        #expect(configuration.routing.timeouts.connect == .seconds(3))
        #expect(configuration.routing.total == .seconds(1800))
        #expect(configuration.routing.clientStall == .seconds(60))
        #expect(configuration.routing.drain == .seconds(60))
        #expect(configuration.usage.retentionDays == nil)
        #expect(configuration.metrics.token == nil)
        #expect(configuration.oauth2 == nil)
        #expect(configuration.admins.isEmpty)
    }

    @Test(arguments: [
        ("30 per minute", [(30, 60)]), ("5/second", [(5, 1)]), ("10 per 5 minutes", [(10, 300)]),
        ("1 per day; 2 per hour ;3/2 seconds", [(1, 86_400), (2, 3600), (3, 2)]), ("7 PER Minute", [(7, 60)]),
        ("30 per minute; 30/60 seconds", [(30, 60)]),
    ])
    func rateLimitIsParsed(text: String, limits: [(Int, Int)]) {
        #expect(RateLimit.parse(text) == limits.map { RateLimit(count: $0.0, windowSeconds: $0.1) })
    }

    @Test(arguments: [
        "", ";", "30", "30 per", "per minute", "0 per minute", "-1 per minute", "30 per fortnight", "30 minute",
        "30 per 0 minutes", "30 per minute;", "30 per minute hour", "1.5 per minute", "30 per 400 days", "+3 per day",
        "30 per 1 2 minute",
    ])
    func otherRateLimitIsAnError(text: String) {
        #expect(RateLimit.parse(text) == nil)
    }

    @Test(arguments: ["rate_limiting:\n  limit: often\n", "api:\n  failed_auth_limit: often\n"])
    func wrongRateLimitNamesItsKey(text: String) {
        let found = problemsOfLeast(and: text)
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("config.yaml:7: ") == true)
        #expect(found.first?.contains("expected limits such as “30 per minute”") == true)
    }

    @Test(arguments: [
        ("90", 90_000), ("0.5", 500), ("500ms", 500), ("30s", 30_000), ("5m", 300_000), ("12h", 43_200_000),
        ("7d", 604_800_000), ("1.5h", 5_400_000),
    ])
    func timeIsParsed(text: String, milliseconds: Int64) {
        #expect(DurationText.parse(text) == .milliseconds(milliseconds))
    }

    @Test(arguments: ["", "s", "-1", "1w", "0.0001", "0.5ms", "1e3", "4000d", "99999999999999999999", "1 h"])
    func otherTimeIsAnError(text: String) {
        #expect(DurationText.parse(text) == nil)
    }

    @Test func zeroTimeIsAnError() {
        #expect(
            problemsOfLeast(and: "routing:\n  drain: 0\n").first?.hasPrefix("config.yaml:7: routing.drain: ") == true)
    }

    @Test func idleSessionIsNotLongerThanTheAbsoluteOne() {
        let found = problemsOfLeast(and: "sessions:\n  idle: 8d\n")
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("config.yaml:7: sessions.idle: ") == true)
    }

    @Test func redisIsRead() throws {
        func storage(_ url: String) throws -> RedisAddress? {
            try loadLeast(and: "rate_limiting:\n  storage_url: \(url)\n").rateLimiting.storage
        }
        #expect(
            try storage("redis://localhost:6380/2")
                == .tcp(HostAndPort(host: "localhost", port: 6380), password: nil, database: 2))
        #expect(
            try storage("redis://:p@ss@h")
                == .tcp(HostAndPort(host: "h", port: 6379), password: Secret("p@ss"), database: 0))
        #expect(try storage("unix:///run/redis.sock") == .unix(path: "/run/redis.sock"))
    }

    @Test(arguments: ["rediss://h", "redis://hunter2@h", "redis://h/x", "redis://", "unix://redis.sock", "localhost"])
    func otherStorageIsAnErrorThatDoesNotQuoteIt(url: String) {
        let found = problemsOfLeast(and: "rate_limiting:\n  storage_url: \(url)\n")
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("config.yaml:7: rate_limiting.storage_url: expected “redis://") == true)
        #expect(found.first?.contains("hunter2") == false)
    }

    @Test func corsOriginsAreOrigins() throws {
        let api = try loadLeast(and: "api:\n  cors_origins: [\"https://App.example:443\"]\n").api
        #expect(api.corsOrigins.map(\.description) == ["https://app.example"])
        #expect(!api.allowsAnyOrigin)
        let any = try loadLeast(and: "api:\n  cors_origins: [\"*\"]\n").api
        #expect(any.allowsAnyOrigin && any.corsOrigins.isEmpty)
        #expect(
            problemsOfLeast(and: "api:\n  cors_origins: [\"https://*.example\"]\n").first?
                .hasPrefix("config.yaml:7: api.cors_origins[0]: ") == true)
    }

    @Test func adminsAreComparedWithoutCase() throws {
        let configuration = try loadLeast(and: "admins: [Ann@Example.EDU]\n")
        #expect(configuration.isAdmin("aNN@example.edu"))
        #expect(!configuration.isAdmin("bob@example.edu"))
    }

    /// The lower case of the Kelvin sign is k, that of the dotted I begins with i.
    @Test(arguments: ["mi\u{212A}e@example.edu", "k@example.\u{212A}r", "\u{130}da@example.edu"])
    func aLetterThatBecomesAPlainOneIsRefused(address: String) {
        #expect(EmailAddress.normalized(address) == nil)
        #expect(EmailAddress.normalized("ÄNN@example.edu") == "änn@example.edu")
    }
}
