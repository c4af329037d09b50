import Foundation
import Logging
import SharedProtocol
import Storage

/// A database of a test's own: a file in a folder, or a new database of the server that `LUMEN_TEST_POSTGRES` names. It
/// is removed with this value. No test ever touches a database that was there before.
public final class TestDatabase: Sendable {
    public let engine: SQLEngine
    public let url: DatabaseURL
    /// For whatever else the test wants to put beside it.
    public let folder: String
    private let name = "lumen_test_" + RandomText.base32(10)

    /// `postgresql:///postgres?…`, the server that `make test` starts; nil: the tests are run on SQLite alone.
    private static let server = ProcessInfo.processInfo.environment["LUMEN_TEST_POSTGRES"]

    public static var engines: [SQLEngine] { server == nil ? [.sqlite] : [.sqlite, .postgres] }

    public init(_ engine: SQLEngine = .current) throws {
        self.engine = engine
        folder = NSTemporaryDirectory() + name
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        if engine == .postgres, let server = Self.server {
            try PostgresServer.run("CREATE DATABASE \(name)", at: Secret(server))
            // The last one of two names counts.
            url = .postgres(Secret(server + "&dbname=" + name))
        } else {
            url = .sqlite(path: folder + "/lumen.db")
        }
    }

    deinit {
        try? FileManager.default.removeItem(atPath: folder)
        guard engine == .postgres, let server = Self.server else { return }
        try? PostgresServer.run("DROP DATABASE \(name) WITH (FORCE)", at: Secret(server))
    }

    public func open(
        _ service: ServiceName, _ migrations: [Migration], pool: DatabasePoolConfiguration = .standard,
        logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    ) throws -> ServiceDatabase {
        let location = DatabaseLocation(of: service, beside: url, pool: pool)
        return try ServiceDatabase(at: location, migrations: migrations, logger: logger)
    }
}
