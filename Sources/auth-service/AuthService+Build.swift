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
        let database = try open(watcher.current.app.databaseURL, logger)
        let auth = try await AuthCalls(
            database, configuration: { watcher.current }, clock: Timestamp.now, timers: process.group, logger: logger)
        let socket = process.listen ?? watcher.current.app.runDirectory + "/auth.sock"
        return [auth.lastUse, CallServer(process.identity, socket: socket, calls: auth.table, on: process.group)]
    }

    private static func open(_ url: DatabaseURL, _ logger: Logger) throws -> ServiceDatabase {
        do throws(StorageProblem) {
            let location = try DatabaseLocation(of: .auth, beside: url)
            return try ServiceDatabase(at: location, migrations: Schema.migrations, logger: logger)
        } catch {
            throw UnusableConfiguration(error.description)
        }
    }
}
