import Glibc
import Logging
import SharedProtocol
import Storage
import StorageTesting
import Testing

/// What holds for PostgreSQL alone: connections, their limits and their ends.
@Suite(.enabled(if: TestDatabase.engines.contains(.postgres))) struct PostgresTests {
    let test: TestDatabase
    let notes = Migration(1, "CREATE TABLE notes (text TEXT)")

    init() throws { test = try TestDatabase(.postgres) }

    private func open(_ change: (inout DatabasePoolConfiguration) -> Void = { _ in }) throws -> ServiceDatabase {
        var pool = DatabasePoolConfiguration.standard
        change(&pool)
        return try test.open(.auth, [notes], pool: pool)
    }

    /// The server's process for the connection that is used now.
    private func process(_ database: ServiceDatabase) async throws -> Int32 {
        let id: Int? = try await database.read { try $0.value("SELECT pg_backend_pid()") }
        return Int32(try #require(id))
    }

    private func terminate(_ process: Int32) throws {
        guard case .postgres(let url) = test.url else { return }
        try PostgresServer.run("SELECT pg_terminate_backend(\(process))", at: url)
        usleep(50_000)
    }

    private func connections(_ database: ServiceDatabase) async throws -> Int? {
        try await database.read {
            try $0.value(
                """
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'lumen-auth'
                """)
        }
    }

    @Test func aLongReadMayTakeLongerThanOthers() async throws {
        let database = try open()
        let error = await #expect(throws: CallError.self) {
            try await database.read { try $0.rows("SELECT pg_sleep(4.5)").count }
        }
        #expect(error?.code == .storageFailed)
        #expect(try await database.read(isLong: true) { try $0.rows("SELECT pg_sleep(4.5)").count } == 1)
        // The next transaction on the same connection has the usual limit again.
        let limit: String? = try await database.read { try $0.value("SELECT current_setting('statement_timeout')") }
        #expect(limit == "4s")
    }

    @Test func moreThanThePoolHasWaitAndAreRefusedInTime() async throws {
        let database = try open {
            $0.size = 1
            $0.maxOverflow = 1
            $0.timeout = .milliseconds(300)
        }
        let observer = try test.open(.web, [])
        let holders = (0..<2).map { _ in Task { try await database.read { try $0.rows("SELECT pg_sleep(3)").count } } }
        let query =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
        while try await observer.read({ try $0.value(query) as Int? }) != 2 {
            try await Task.sleep(for: .milliseconds(20))
        }
        let error = await #expect(throws: CallError.self) { try await process(database) }
        #expect(error?.code == .busy)
        #expect(error?.message.contains("app.db_pool") == true)
        for holder in holders { #expect(try await holder.value == 1) }
        // The one beyond `pool_size` is closed.
        try await Task.sleep(for: .milliseconds(200))
        #expect(try await connections(database) == 1)
    }

    @Test func aConnectionIsKeptUntilItIsOld() async throws {
        let kept = try open()
        let first = try await process(kept)
        #expect(try await process(kept) == first)
        let recycled = try open { $0.recycle = .milliseconds(100) }
        let old = try await process(recycled)
        try await Task.sleep(for: .milliseconds(150))
        #expect(try await process(recycled) != old)
    }

    @Test(arguments: [true, false]) func aConnectionThatTheServerClosedIsReplacedSilently(prePing: Bool) async throws {
        let database = try open { $0.prePing = prePing }
        let first = try await process(database)
        try terminate(first)
        #expect(try await process(database) != first)
    }

    @Test func aConnectionThatBreaksInATransactionFailsItAndNothingElse() async throws {
        let database = try open()
        let error = await #expect(throws: CallError.self) {
            try await database.write { connection in
                try connection.execute("INSERT INTO notes (text) VALUES ('lost')")
                try connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
            }
        }
        #expect(error?.code == .storageFailed)
        #expect(error?.message == "The service's database could not be written: PostgreSQL is stopping.")
        #expect(try await database.read { try $0.rows("SELECT * FROM notes").count } == 0)
    }

    @Test func aCommitWithoutAnAnswerIsToldAsSuch() async throws {
        let database = try open()
        let error = await #expect(throws: CallError.self) {
            try await database.write { connection in
                let process: Int? = try connection.value("SELECT pg_backend_pid()")
                try terminate(Int32(process ?? 0))
            }
        }
        #expect(error?.message.contains("whether the change was made is not known") == true)
    }

    @Test func commitsAreOnDiskWhateverTheDatabaseSays() async throws {
        guard case .postgres(let url) = test.url else { return }
        let database = try open()
        try await database.write { connection in
            try connection.script(
                "DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET synchronous_commit TO off'; END $$"
            )
        }
        try terminate(try await process(database))
        #expect(try await database.read { try $0.value("SHOW synchronous_commit") } == "on")
        #expect(try PostgresServer.connectionLimit(of: url) > 0)
    }

    @Test func textThatPostgresCannotKeepIsKeptInPart() async throws {
        let database = try open()
        try await database.write { try $0.execute("INSERT INTO notes (text) VALUES (?)", ["a\0b"]) }
        #expect(try await database.read { try $0.value("SELECT text FROM notes") } == "a\u{FFFD}b")
    }
}

/// Servers that are not there, and URLs that are none.
struct PostgresAddressTests {
    @Test(arguments: [
        "postgresql://ann:hunter2@127.0.0.1:1/lumen", "postgresql://ann:hunter2@no.such.host.invalid/lumen",
        "postgresql://ann:hunter2@[::1/lumen", "postgresql://ann:hunter2@127.0.0.1/lumen?hunter2=x",
        "postgresql:///lumen?host=/nowhere&password=hunter2",
    ])
    func aServerThatCannotBeReachedIsToldWithoutThePassword(url: String) throws {
        let location = DatabaseLocation(of: .auth, beside: .postgres(Secret(url)))
        let problem = #expect(throws: StorageProblem.self) {
            try ServiceDatabase(at: location, migrations: [], logger: Logger(label: "test"))
        }
        let sentence = problem?.description ?? ""
        #expect(sentence.contains("app.database_url"))
        #expect(!sentence.contains("hunter2"))
        #expect(problem?.isTransient == (sentence.contains("cannot be reached") || sentence.contains("in time")))
    }

    /// As one that is stopped: the kernel takes the connection for it, and nothing is ever answered.
    @Test func aServerThatIsSilentCostsATimeThatIsBounded() throws {
        let test = try TestDatabase(.sqlite)
        let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: "\(test.folder)/.s.PGSQL.5432".utf8) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let bound = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, size) }
        }
        #expect(bound == 0 && listen(listener, 8) == 0)
        let location = DatabaseLocation(
            of: .auth, beside: .postgres(Secret("postgresql:///lumen?host=\(test.folder)")))
        let start = ContinuousClock.now
        let problem = #expect(throws: StorageProblem.self) {
            try ServiceDatabase(at: location, migrations: [], logger: Logger(label: "test"))
        }
        #expect(problem?.description.contains("did not answer in time") == true)
        #expect(problem?.isTransient == true)
        #expect(ContinuousClock.now - start < .seconds(7))
    }
}
