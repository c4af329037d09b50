import Logging
import ServiceLifecycle
import ServiceRuntime
import SharedProtocol
import Storage

extension LedgerService {
    /// Puts the ledger together. Dependencies come first, so that they stop last: a post that the server took is written
    /// before the journal ends.
    static func build(_ process: ServiceProcess) async throws -> [any Service] {
        let logger = Logger(label: "ledger")
        let watcher = process.configuration
        let database = try open(watcher.current, logger)
        let engine = try await engine(on: database, clock: Moment.now, logger: logger)
        engine.follow(watcher.current.groups, watcher.current.models)
        watcher.onChange { engine.follow($0.groups, $0.models) }
        let pruning = Pruning(
            database, retentionDays: { watcher.current.usage.retentionDays }, logger: logger)
        let server = CallServer(
            process.identity, socket: process.listen ?? watcher.current.app.runDirectory + "/ledger.sock",
            calls: LedgerCalls(engine: engine, database: database, logger: logger).table, on: process.group,
            problems: { engine.problems })
        return engine.services + [pruning, server]
    }

    /// - Parameter clock: of a ledger that keeps its own time; on PostgreSQL, the database's counts.
    static func engine(
        on database: ServiceDatabase, clock: @escaping @Sendable () -> Moment, logger: Logger
    ) async throws(CallError) -> any LedgerEngine {
        switch database.engine {
        case .sqlite: try await LocalLedger(database, clock: clock, logger: logger)
        case .postgres: SharedLedger(database, logger: logger)
        }
    }

    private static func open(_ configuration: LumenConfiguration, _ logger: Logger) throws -> ServiceDatabase {
        let location = DatabaseLocation(
            of: .ledger, beside: configuration.app.databaseURL, pool: configuration.app.databasePool)
        do throws(StorageProblem) {
            return try ServiceDatabase(at: location, migrations: Schema.migrations, logger: logger)
        } catch {
            if error.isTransient { throw error }
            throw UnusableConfiguration(error.description)
        }
    }
}
