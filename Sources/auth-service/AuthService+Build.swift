import Logging
import ServiceLifecycle
import ServiceRuntime
import SharedProtocol
import Storage

extension AuthService {
    /// Puts the service together. Dependencies come first, so that they stop last: what the last calls noted is written.
    static func build(_ process: ServiceProcess) async throws -> [any ServiceLifecycle.Service] {
        let logger = Logger(label: "auth")
        let watcher = process.configuration
        let database = try open(watcher.current.app, logger)
        let auth = try await AuthCalls(
            database, configuration: { watcher.current }, clock: Timestamp.now, timers: process.group, logger: logger)
        watcher.onChange { _ in auth.fileGroups.configurationChanged() }
        let socket = process.listen ?? watcher.current.app.runDirectory + "/auth.sock"
        let server = CallServer(process.identity, socket: socket, calls: auth.table, on: process.group)
        return ([auth.lastUse, auth.follower, auth.fileGroups, server] as [(any ServiceLifecycle.Service)?]).compactMap(
            \.self)
    }

    private static func open(_ app: AppConfiguration, _ logger: Logger) throws -> ServiceDatabase {
        do throws(StorageProblem) {
            let location = DatabaseLocation(of: .auth, beside: app.databaseURL, pool: app.databasePool)
            return try ServiceDatabase(at: location, migrations: Schema.migrations, logger: logger)
        } catch {
            // What may pass by itself is no mistake of the configuration: the supervisor tries again.
            if error.isTransient { throw error }
            throw UnusableConfiguration(error.description)
        }
    }
}
