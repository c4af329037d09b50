import Logging
import NIOCore
import Testing

@testable import SharedProtocol

@Suite struct ConfigurationAppTests {
    /// The least configuration with more lines under `app`, the first of which is line 6.
    private func app(_ lines: String, environment: [String: String] = [:]) throws -> AppConfiguration {
        try loadLeast(and: lines, environment: environment).app
    }

    @Test func defaultsAreThoseOfTheTable() throws {
        let app = try load(leastConfiguration).app
        #expect(app.name == "Lumen")
        #expect(app.tagline == "")
        #expect(app.databaseURL == .sqlite(path: "/srv/lumen/lumen.db"))
        #expect(
            app.databasePool
                == DatabasePoolConfiguration(
                    size: 5, maxOverflow: 10, timeout: .seconds(30), recycle: nil, prePing: false))
        #expect(app.listen == HostAndPort(host: "127.0.0.1", port: 5000))
        #expect(app.publicURL.description == "http://127.0.0.1:5000")
        #expect(app.runDirectory == "/srv/lumen/run")
        #expect(app.trustedProxies.map(\.description) == ["127.0.0.1", "::1"])
        #expect(app.announcement == "")
        #expect(app.logo == nil)
        #expect(app.accentColour == nil)
        #expect(app.logLevel == .info)
        #expect(app.devUser == "dev@example.com")
    }

    @Test func secretsAreRequired() {
        #expect(
            problems("app:\n  debug: true\n  dev_user: a@b.example\n") == [
                "config.yaml:1: app.secret_key: required: a secret text of at least 32 bytes",
                "config.yaml:1: app.encryption_key: required: a secret text",
            ])
    }

    @Test func shortSecretKeyIsAnErrorThatDoesNotQuoteIt() {
        let text = leastConfiguration.replacing(
            "0123456789abcdef0123456789abcdef", with: "hunter2-hunter2-hunter2-hunter2")
        #expect(problems(text) == ["config.yaml:2: app.secret_key: expected a secret text of at least 32 bytes"])
    }

    @Test func devUserWithoutDebugIsAnError() {
        let text = leastConfiguration.replacing("debug: true", with: "debug: false")
        #expect(problems(text).count == 1)
        #expect(problems(text).first?.hasPrefix("config.yaml:5: app.dev_user: ") == true)
    }

    @Test func devUserIsLowerCased() throws {
        let text = leastConfiguration.replacing("dev@example.com", with: "Dev@Example.COM")
        #expect(try load(text).app.devUser == "dev@example.com")
    }

    @Test(arguments: [
        ("sqlite:///data/x.db", "/srv/lumen/data/x.db"), ("sqlite:////var/lib/x.db", "/var/lib/x.db"),
    ])
    func sqlitePathIsRelativeToTheFile(url: String, path: String) throws {
        #expect(try app("  database_url: \(url)\n").databaseURL == .sqlite(path: path))
    }

    @Test(arguments: ["postgres://u:pw@h/db", "postgresql://u:pw@h/db"])
    func postgresIsKeptAsASecret(url: String) throws {
        #expect(try app("  database_url: \(url)\n").databaseURL == .postgres(Secret(url)))
    }

    @Test(arguments: ["mysql://u:hunter2@h/db", "sqlite:///", "sqlite:///folder/", "sqlite:///:memory:", "lumen.db"])
    func otherDatabaseIsAnErrorThatDoesNotQuoteIt(url: String) {
        let found = problemsOfLeast(and: "  database_url: \"\(url)\"\n")
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("config.yaml:6: app.database_url: expected “sqlite:///file.db”") == true)
        #expect(found.first?.contains("hunter2") == false)
    }

    @Test func runDirectoryThatIsTooLongForSocketsIsAnError() throws {
        // 107 bytes less a slash and the longest name of a socket.
        let longest = "/" + String(repeating: "a", count: 107 - 1 - AppConfiguration.longestSocketName - 1)
        #expect(try app("  run_dir: \(longest)\n").runDirectory == longest)
        let found = problemsOfLeast(and: "  run_dir: \(longest)bb\n")
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("config.yaml:6: app.run_dir: ") == true)
        #expect(found.first?.contains("2 bytes too long") == true)
    }

    @Test(arguments: ["5000", "host:", "host:70000", "::1:5000", "[::1]", "a b:1", "[x]:1"])
    func listenThatIsNoAddressIsAnError(listen: String) {
        #expect(
            problemsOfLeast(and: "  listen: \"\(listen)\"\n").first?.hasPrefix("config.yaml:6: app.listen: ") == true)
    }

    @Test func listenTakesBracketsAndPortZero() throws {
        let listen = try app("  listen: \"[::1]:0\"\n").listen
        #expect(listen == HostAndPort(host: "[::1]", port: 0))
        #expect(listen.unbracketedHost == "::1")
    }

    @Test(arguments: [
        "https://lumen.example.edu/path", "lumen.example.edu", "ftp://x.example", "https://u:p@x.example",
    ])
    func publicURLIsAnOrigin(url: String) {
        let found = problemsOfLeast(and: "  public_url: \(url)\n")
        #expect(found.first?.hasPrefix("config.yaml:6: app.public_url: ") == true)
    }

    @Test(arguments: [
        ("HTTPS://Lumen.Example.edu:443/", "https://lumen.example.edu", true),
        ("http://localhost:80", "http://localhost", false),
        ("https://x.example:8443", "https://x.example:8443", true),
    ])
    func publicURLIsAsBrowsersWriteOrigins(url: String, origin: String, isSecure: Bool) throws {
        let publicURL = try app("  public_url: \(url)\n").publicURL
        #expect(publicURL.description == origin)
        #expect(publicURL.isSecure == isSecure)
    }

    @Test(arguments: [
        ("http://localhost:5000", true), ("http://127.8.0.1", true), ("http://[::1]:1", true),
        ("http://127.0.0.1.example.com", false), ("http://10.0.0.1", false),
    ])
    func loopbackIsKnownByTheWholeHost(url: String, isLoopback: Bool) throws {
        #expect(try app("  public_url: \(url)\n").publicURL.isLoopback == isLoopback)
    }

    @Test func trustedProxiesMatchWholeRanges() throws {
        let proxies = try app("  trusted_proxies: [10.1.0.0/16, \"fd00::/8\", 192.0.2.7]\n").trustedProxies
        func isTrusted(_ address: String) throws -> Bool {
            let address = try SocketAddress(ipAddress: address, port: 1)
            return proxies.contains { $0.contains(address) }
        }
        #expect(try isTrusted("10.1.255.255"))
        #expect(try isTrusted("::ffff:10.1.2.3"))
        #expect(try isTrusted("fd12::1"))
        #expect(try isTrusted("192.0.2.7"))
        #expect(try !isTrusted("10.2.0.0"))
        #expect(try !isTrusted("192.0.2.8"))
        #expect(try !isTrusted("fe80::1"))
        #expect(try !proxies.contains { $0.contains(try SocketAddress(unixDomainSocketPath: "/x")) })
    }

    @Test(arguments: ["10.0.0.0/33", "localhost", "10.0.0", "::/129"])
    func proxyThatIsNoRangeIsAnError(range: String) {
        #expect(
            problemsOfLeast(and: "  trusted_proxies: [\"\(range)\"]\n") == [
                "config.yaml:6: app.trusted_proxies[0]: expected an IP address or a range such as “10.0.0.0/8”"
            ])
    }

    @Test(arguments: ["red", "#12", "#12345", "#12345g", "#fff;x"])
    func accentColourIsNothingButAColour(colour: String) {
        let found = problemsOfLeast(and: "  accent_colour: \"\(colour)\"\n")
        #expect(found.first?.hasPrefix("config.yaml:6: app.accent_colour: expected a colour") == true)
    }

    @Test func logLevelIsOneThatExists() throws {
        #expect(try app("  log_level: debug\n").logLevel == .debug)
        #expect(problemsOfLeast(and: "  log_level: loud\n").first?.hasPrefix("config.yaml:6: app.log_level: ") == true)
    }

    @Test func poolIsRead() throws {
        let pool = try app(
            "  db_pool:\n    pool_size: 20\n    max_overflow: 30\n    pool_timeout: 10\n    pool_recycle: 1800\n"
                + "    pool_pre_ping: true\n"
        ).databasePool
        #expect(
            pool
                == DatabasePoolConfiguration(
                    size: 20, maxOverflow: 30, timeout: .seconds(10), recycle: .seconds(1800), prePing: true))
    }

    @Test func secretsPrintNothing() throws {
        var dumped = ""
        dump(try load(leastConfiguration), to: &dumped)
        #expect(!dumped.contains("0123456789abcdef"))
        #expect(!"\(try load(leastConfiguration))".contains("0123456789abcdef"))
        #expect(!String(reflecting: Secret("hunter2")).contains("hunter2"))
    }
}
