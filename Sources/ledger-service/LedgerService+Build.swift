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
        let configuration = process.configuration.current
        let database = try open(configuration.app.databaseURL, logger)
        let ledger = try await LedgerCalls(
            database, clock: Moment.now,
            retentionDays: { process.configuration.current.usage.retentionDays }, logger: logger)
        ledger.follow(configuration.groups, configuration.models)
        process.configuration.onChange { ledger.follow($0.groups, $0.models) }
        let server = CallServer(
            process.identity, socket: process.listen ?? configuration.app.runDirectory + "/ledger.sock",
            calls: ledger.table, on: process.group, problems: { ledger.problems })
        return [ledger.journal, ledger.housekeeping, server]
    }

    private static func open(_ url: DatabaseURL, _ logger: Logger) throws -> ServiceDatabase {
        let location: DatabaseLocation
        do throws(StorageProblem) {
            location = try DatabaseLocation(of: .ledger, beside: url)
        } catch {
            throw UnusableConfiguration(error.description)
        }
        return try ServiceDatabase(at: location, migrations: Schema.migrations, logger: logger)
    }
}
