import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOPosix
import SharedProtocol
import Storage
import StorageTesting

@testable import auth_service

/// A folder with a real database, a clock that the test turns, and the service on them, as often as it is started.
final class AuthFixture: Sendable {
    let database: TestDatabase
    private let time = NIOLockedValueBox(Timestamp(1_800_000_000_000))
    private let configuration: NIOLockedValueBox<LumenConfiguration>

    static let hour: Int64 = 3_600_000

    init(_ more: String = "") throws {
        database = try TestDatabase()
        configuration = NIOLockedValueBox(try Self.load(Self.withDevUser + more))
    }

    static let withDevUser = """
        app:
          secret_key: 0123456789abcdef0123456789abcdef
          encryption_key: key of the keys
          debug: true
          dev_user: Dev@Example.com

        """

    static func load(_ text: String) throws -> LumenConfiguration {
        try ConfigurationLoader.load(text: text, path: "config.yaml", environment: [:])
    }

    /// Opens the database and the service on it. Both end with the value that is returned.
    func start() async throws -> RunningAuth {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let database = try database.open(.auth, Schema.migrations)
        let calls = try await AuthCalls(
            database, configuration: { self.configuration.withLockedValue { $0 } },
            clock: { self.time.withLockedValue { $0 } }, timers: MultiThreadedEventLoopGroup.singleton,
            logger: logger)
        return RunningAuth(database: database, fixture: self, calls: calls, caller: InProcessCaller(calls.table))
    }

    var now: Timestamp { time.withLockedValue { $0 } }
    func pass(_ milliseconds: Int64) {
        time.withLockedValue { $0 = Timestamp($0.rawValue + milliseconds) }
    }

    var inForce: LumenConfiguration { configuration.withLockedValue { $0 } }
    func configure(_ text: String) throws {
        let new = try Self.load(text)
        configuration.withLockedValue { $0 = new }
    }

    func hash(ofKey secret: String) -> CredentialHash {
        CredentialHash(of: secret, under: configuration.withLockedValue { $0.app.encryptionKey.reveal() })
    }

    func hash(ofSession secret: String) -> CredentialHash {
        CredentialHash(of: secret, under: configuration.withLockedValue { $0.app.secretKey.reveal() })
    }

    /// Everything that is on disk, the write-ahead log included.
    func filesContain(_ text: String) throws -> Bool {
        try FileManager.default.contentsOfDirectory(atPath: database.folder).contains { name in
            let content = try Data(contentsOf: URL(filePath: database.folder + "/" + name))
            return content.range(of: Data(text.utf8)) != nil
        }
    }
}

/// The service as a caller sees it.
struct RunningAuth {
    let database: ServiceDatabase
    /// The database is there as long as it is used.
    let fixture: AuthFixture
    let calls: AuthCalls
    let caller: InProcessCaller

    func call<C: Call>(_ call: C) async throws(CallError) -> C.Reply {
        try await caller.call(call, request: nil, timeout: .seconds(30))
    }

    /// The code with which the call fails; nothing when it succeeds.
    func failure<C: Call>(_ call: C) async -> CallError.Code? {
        do throws(CallError) {
            _ = try await self.call(call)
            return nil
        } catch {
            return error.code
        }
    }

    func createKey(_ email: String = "ann@example.edu", name: String = "laptop") async throws -> Auth.NewKey {
        try await call(Auth.CreateKey(owner: .email(email), name: name))
    }

    func disable(_ email: String) async throws {
        try await database.write { connection in
            try connection.execute("UPDATE users SET disabled = 1 WHERE email = ?", [email])
        }
    }

    /// What the audit log has, the oldest first.
    func auditedActions() async throws -> [String] {
        try await call(Auth.ReadAudit(limit: 200)).reversed().map(\.action.name)
    }

    func number(_ sql: String) async throws -> Int64? {
        try await database.read { try $0.value(sql) }
    }
}

extension Auth.Actor {
    /// Nobody's row: the audit log remembers people whose row is gone, too.
    static let admin = Auth.Actor(user: UserID(1_000_000), email: "root@example.edu", address: "192.0.2.1")
}
