import FoundationEssentials
import HTTPTypes
import Hummingbird
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import SharedProtocol
import Testing

@testable import web_service

/// The whole site before scripted services: requests go through its real routes, gate and templates.
struct SiteFixture {
    let services = ScriptedServices()
    let temporary: TemporaryStore
    /// What is in force; a test may change it.
    let configuration: NIOLockedValueBox<LumenConfiguration>
    /// What the site has logged.
    let log = NIOLockedValueBox<[Logger.Metadata]>([])
    /// Like `GET /keys`: what the site's router knows.
    let routes: [String]
    private let respond: @Sendable (Request, WebContext) async throws -> Response

    static let origin = "https://lumen.example.edu"

    /// - Parameter admins: e-mail addresses, as in the configuration; `person` in a session is Ada.
    init(
        origin: String = origin, devUser: String? = "dev@example.com", admins: [String] = [],
        limit: String = "1000 per minute"
    ) throws {
        temporary = try TemporaryStore()
        let first = try Self.configuration(origin, devUser: devUser, admins: admins, limit)
        let configuration = NIOLockedValueBox(first)
        self.configuration = configuration
        let desk = AnswerDesk(
            store: temporary.store,
            begin: { _, _ throws(AnswerRefusal) in throw AnswerRefusal(message: "No tokens left.") }, drain: { .zero },
            logger: Logger(label: "test"))
        let site = try Site(
            configuration: { configuration.withLockedValue { $0 } }, auth: InProcessCaller(services.auth),
            ledger: InProcessCaller(services.ledger), endpoints: { [] }, desk: desk, limiter: RateLimiter(),
            environment: [:], logger: Logger(label: "test") { [log] _ in RecordingLog(lines: log) })
        routes = site.router.routes.map(\.description)
        let responder = site.responder
        respond = { try await responder.respond(to: $0, context: $1) }
    }

    /// - Parameter session: the cookie's value; nil sends none.
    func send(
        _ method: HTTPRequest.Method, _ path: String, session: String? = "good", origin: String? = nil,
        headers: HTTPFields = [:], body: String = ""
    ) async throws -> Reply {
        var fields = headers
        if let session { fields[.cookie] = "__Host-lumen=\(session)" }
        if let origin { fields[.origin] = origin }
        let request = Request(
            head: HTTPRequest(method: method, scheme: "https", authority: "x", path: path, headerFields: fields),
            body: RequestBody(buffer: ByteBuffer(string: body)))
        let channel = EmbeddedChannel()
        channel.remoteAddress = try SocketAddress(ipAddress: "192.0.2.7", port: 4_711)
        let source = ApplicationRequestContextSource(channel: channel, logger: Logger(label: "test"))
        let response = try await respond(request, WebContext(source: source))
        let collector = BodyCollector()
        try await response.body.write(collector)
        return Reply(status: response.status, headers: response.headers, body: collector.text)
    }

    struct Reply {
        var status: HTTPResponse.Status
        var headers: HTTPFields
        var body: String
    }

    private static func configuration(
        _ origin: String, devUser: String?, admins: [String], _ limit: String = "1000 per minute"
    ) throws -> LumenConfiguration {
        let file = "/tmp/lumen-site-\(RandomText.base32(10)).yaml"
        let login =
            devUser.map { "debug: true\n  dev_user: \($0)" }
            ?? "debug: false"
        let yaml = """
            app:
              name: Lumen & Co
              secret_key: "0123456789abcdef0123456789abcdef"
              encryption_key: "another-secret"
              public_url: \(origin)
              \(login)
            admins: [\(admins.joined(separator: ", "))]
            models:
              - {name: dummy, endpoints: [{url: "http://127.0.0.1:9/v1"}]}
            groups:
              default: {default: {max: 1000}}
            rate_limiting: {limit: "\(limit)"}
            oauth2:
              client_id: lumen
              client_secret: "client-secret"
              server_metadata_url: https://idp.example.edu/.well-known/openid-configuration
              redirect_uri: \(origin)/callback
            """
        _ = FileManager.default.createFile(atPath: file, contents: Data(yaml.utf8))
        defer { try? FileManager.default.removeItem(atPath: file) }
        return try ConfigurationLoader.load(path: file, environment: [:])
    }
}

/// Auth and ledger as a test wants them.
final class ScriptedServices: Sendable {
    let isAway = NIOLockedValueBox(false)
    let isLedgerAway = NIOLockedValueBox(false)
    let isDisabled = NIOLockedValueBox(false)
    /// Calls that begin so fail as if their service were away.
    let failing = NIOLockedValueBox<String?>(nil)
    /// Why nobody can log in; nil lets them.
    let loginRefusal = NIOLockedValueBox<Auth.LoginRefusal?>(nil)
    let loginNext = NIOLockedValueBox("/usage")
    /// What web passed on of the last login.
    let finished = NIOLockedValueBox<Auth.FinishLogin?>(nil)
    static let attempt = Auth.LoginAttempt(
        authorizeURL: "https://idp.example.edu/authorize?state=abcdefgh1", id: LoginAttemptID("abcdefgh"),
        cookie: "attempt")
    /// Names of the calls that were made.
    let calls = NIOLockedValueBox<[String]>([])
    let pools = NIOLockedValueBox([
        Ledger.Pool(
            name: "default", balance: 1_234_567, reserved: 0, max: 2_000_000, refresh: 50, starting: 1_500_000,
            group: .everyone)
    ])
    let report = NIOLockedValueBox(Ledger.UsageReport.sample)
    let overrides = NIOLockedValueBox<[Ledger.Override]>([])
    /// How many requests everyone has made; they have the ids from 1.
    let eventCount = NIOLockedValueBox<Int64>(0)
    let users = NIOLockedValueBox([Auth.UserRecord(person: .ada, isDisabled: false)])
    let groups = NIOLockedValueBox([
        Auth.GroupRecord(name: .everyone, title: "default", origin: .file, isDisabled: false, handMembers: 0),
        Auth.GroupRecord(name: "lab & co", title: "lab & co", origin: .file, isDisabled: true, handMembers: 1_000),
        Auth.GroupRecord(name: "chem", title: "Chemistry <b>", origin: .panel, isDisabled: false, handMembers: 2),
    ])
    let members = NIOLockedValueBox<[Auth.Member]>([])
    let sessions = NIOLockedValueBox<[Auth.SessionSummary]>([])
    /// How many entries the audit log has.
    let auditCount = NIOLockedValueBox<Int64>(0)
    let keys = NIOLockedValueBox([key])

    var auth: CallTable {
        var table = CallTable()
        table.on(Auth.ResumeSession.self) { [self] call, _ throws(CallError) in
            try answer("resume")
            if isDisabled.withLockedValue({ $0 }) { throw CallError(.accountDisabled, "no") }
            let good = CredentialHash(of: "good", under: "0123456789abcdef0123456789abcdef")
            guard call.session == good else { throw CallError(.unauthenticated, "no") }
            return Auth.SessionHolder(person: .ada, revision: 1)
        }
        table.on(Auth.DevLogin.self) { [self] _, _ throws(CallError) in
            try answer("login")
            return Auth.OpenedSession(secret: "fresh", person: .ada)
        }
        table.on(Auth.BeginLogin.self) { [self] call, _ throws(CallError) in
            try answer("begin \(call.next)")
            let refusal = loginRefusal.withLockedValue { $0 }
            return refusal.map { .refused($0) } ?? .begun(Self.attempt)
        }
        table.on(Auth.FinishLogin.self) { [self] call, _ throws(CallError) in
            try answer("finish")
            finished.withLockedValue { $0 = call }
            if let refusal = loginRefusal.withLockedValue({ $0 }) { return .refused(refusal, next: "/usage") }
            return .opened(Auth.OpenedSession(secret: "fresh", person: .ada), next: loginNext.withLockedValue { $0 })
        }
        table.on(Auth.CloseSession.self) { [self] _, _ throws(CallError) in
            try answer("close")
            return Done()
        }
        table.on(Auth.ListKeys.self) { [self] _, _ throws(CallError) in
            try answer("list")
            return keys.withLockedValue { $0 }
        }
        table.on(Auth.CreateKey.self) { [self] call, _ throws(CallError) in
            let models = call.models.map { "\($0.map(\.rawValue))" } ?? "all"
            try answer("create \(call.name) \(call.cap ?? 0) \(call.expires?.rfc3339 ?? "never") \(models)")
            if call.name == "one too many" { throw CallError(.refused, "You have 20 keys, and cannot have more.") }
            return Auth.NewKey(secret: "sk-lumen-shown-once", summary: Self.key)
        }
        table.on(Auth.RevokeKey.self) { [self] call, _ throws(CallError) in
            try answer("revoke \(call.key)\(call.by.map { " by \($0.email)" } ?? "")")
            return Done()
        }
        addAdminCalls(toAuth: &table)
        addAccessCalls(toAuth: &table)
        return table
    }

    var ledger: CallTable {
        var table = CallTable()
        table.on(Ledger.Balances.self) { [self] _, _ throws(CallError) in
            try answer("balances", isLedgers: true)
            return Ledger.BalanceSheet(
                pools: pools.withLockedValue { $0 }, models: [Ledger.ModelAccess(model: "dummy", pool: "default")])
        }
        table.on(Ledger.Events.self) { [self] call, _ throws(CallError) in
            try answer("events \(call.month?.rawValue ?? "ever")", isLedgers: true)
            return events(call)
        }
        addAdminCalls(toLedger: &table)
        return table
    }

    /// Notes an auth call; throws when that service is away.
    func answer(_ name: String, isLedgers: Bool = false) throws(CallError) {
        calls.withLockedValue { $0.append(name) }
        let isAway = isAway.withLockedValue { $0 } || isLedgers && isLedgerAway.withLockedValue { $0 }
        let isFailing = failing.withLockedValue { $0.map(name.hasPrefix) ?? false }
        if name != "resume", isAway || isFailing { throw CallError(.unavailable, "socket /secret/path") }
    }

    static let key = Auth.KeySummary(
        id: KeyID(7), name: "<i>laptop</i>", hint: "sk-lumen-Ab…yZ", created: Timestamp(1_700_000_000_000),
        lastUsed: nil)
}

final class BodyCollector: ResponseBodyWriter, Sendable {
    private let buffer = NIOLockedValueBox(ByteBuffer())
    var text: String { buffer.withLockedValue { String(buffer: $0) } }

    func write(_ part: ByteBuffer) async throws {
        buffer.withLockedValue { _ = $0.writeImmutableBuffer(part) }
    }

    func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
