import Logging

/// `app`: the site as a whole.
public struct AppConfiguration: Sendable, Hashable {
    public var name: String
    public var tagline: String
    /// At least 32 bytes; keys the hashes of session ids and the login-state cookie.
    public var secretKey: Secret
    /// Keys the hashes of API keys.
    public var encryptionKey: Secret
    public var databaseURL: DatabaseURL
    public var databasePool: DatabasePoolConfiguration
    public var debug: Bool
    /// Whom Login logs in without an identity provider, in lower case. Nothing unless `debug` is in force.
    public var devUser: String? { debug ? devUserAsWritten : nil }
    var devUserAsWritten: String?
    public var listen: HostAndPort
    /// Decides, once, whether the site is https.
    public var publicURL: WebOrigin
    /// The folder of the Unix sockets; absolute.
    public var runDirectory: String
    /// Only peers in these may set `X-Forwarded-*`.
    public var trustedProxies: [AddressRange]
    public var announcement: String
    /// An image file; absolute.
    public var logo: String?
    /// `#rgb` or `#rrggbb`.
    public var accentColour: String?
    public var logLevel: Logger.Level
}

/// `app.db_pool`: connections to PostgreSQL; no effect with SQLite.
public struct DatabasePoolConfiguration: Sendable, Hashable {
    public var size: Int
    /// Connections beyond `size` in a burst.
    public var maxOverflow: Int
    /// How long a request waits for a free connection.
    public var timeout: Duration
    /// The age at which a connection is replaced; never, if absent.
    public var recycle: Duration?
    /// Whether a connection is tried before each use.
    public var prePing: Bool
}

extension AppConfiguration {
    /// The longest name of a file in `run_dir` that is a socket, while it is being made: in bytes.
    static let longestSocketName = "router-abcdefgh.sock.new".utf8.count
    static let leastSecretKeyBytes = 32

    /// A required value that is missing has been reported; what stands in for it is never used.
    init(_ section: ConfigurationSection, redirect: WebAddress?) {
        let folder = section.document.folder
        name = section.read("name", .nonEmptyText, default: "Lumen")
        tagline = section.read("tagline", .text, default: "")
        secretKey = section.require("secret_key", .secret(atLeast: Self.leastSecretKeyBytes)) ?? Secret("")
        encryptionKey = section.require("encryption_key", .secret) ?? Secret("")
        databaseURL = section.read(
            "database_url", .databaseURL(relativeTo: folder),
            default: .sqlite(path: FilePaths.absolute("lumen.db", relativeTo: folder)))
        databasePool = DatabasePoolConfiguration(section.section("db_pool"))
        debug = section.read("debug", .flag, default: false)
        devUserAsWritten = section.read("dev_user", .email)
        listen = section.read("listen", .hostAndPort, default: HostAndPort(host: "127.0.0.1", port: 5000))
        publicURL =
            section.read("public_url", .origin) ?? redirect?.origin
            ?? WebOrigin(isSecure: false, host: listen.host, port: listen.port)
        runDirectory = FilePaths.absolute(section.read("run_dir", .nonEmptyText, default: "run"), relativeTo: folder)
        trustedProxies = section.readList("trusted_proxies", .addressRange) ?? Self.loopbackProxies
        announcement = section.read("announcement", .text, default: "")
        logo = section.read("logo", .nonEmptyText).map { FilePaths.absolute($0, relativeTo: folder) }
        accentColour = section.read("accent_colour", .colour)
        logLevel = section.read("log_level", .logLevel, default: .info)
        section.finish()
        checkTogether(section)
    }

    private static var loopbackProxies: [AddressRange] { ["127.0.0.1", "::1"].compactMap { AddressRange($0) } }

    private func checkTogether(_ section: ConfigurationSection) {
        if devUserAsWritten != nil, !debug {
            section.complain(
                "dev_user",
                "logs everyone in without a password, so it needs “debug: true”; remove one or set the other")
        }
        let longest = runDirectory.utf8.count + 1 + Self.longestSocketName
        if longest > FilePaths.longestSocketPath {
            section.complain(
                "run_dir",
                "\(runDirectory) is \(longest - FilePaths.longestSocketPath) bytes too long: the paths of the sockets "
                    + "in it may have at most \(FilePaths.longestSocketPath)")
        }
    }
}

extension DatabasePoolConfiguration {
    /// What holds where nothing is configured.
    public static let standard = DatabasePoolConfiguration(
        size: 5, maxOverflow: 10, timeout: .seconds(30), recycle: nil, prePing: false)

    init(_ section: ConfigurationSection) {
        let standard = Self.standard
        size = section.read("pool_size", .integer(1...1000), default: standard.size)
        maxOverflow = section.read("max_overflow", .integer(0...1000), default: standard.maxOverflow)
        timeout = section.read("pool_timeout", .duration, default: standard.timeout)
        recycle = section.read("pool_recycle", .duration)
        prePing = section.read("pool_pre_ping", .flag, default: false)
        section.finish()
    }
}

extension ScalarFormat where Value == DatabaseURL {
    static func databaseURL(relativeTo folder: String) -> Self {
        ScalarFormat("“sqlite:///file.db”, “sqlite:////absolute/file.db” or “postgresql://…”", isSecret: true) {
            DatabaseURL($0.text, relativeTo: folder)
        }
    }
}
