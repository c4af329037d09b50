import Crypto
import Logging
import NIOConcurrencyHelpers
import NIOPosix
import ServiceLifecycle

/// Holds the configuration in force and follows its file: within two seconds of the content changing, or at once on
/// `reload()`. What is not valid as a whole changes nothing.
public final class ConfigurationWatcher: ServiceLifecycle.Service {
    private let path: String
    private let environment: [String: String]
    private let interval: Duration
    private let logger: Logger
    private let state: NIOLockedValueBox<State>
    /// Held from reading the file to swapping, so that of two readings the later one wins.
    private let reading = NIOLock()

    private struct State {
        var current: LumenConfiguration
        /// Of the text that was last judged, good or bad.
        var digest: SHA256.Digest?
        /// Why the file as it is now is not in force.
        var problems: [ConfigurationProblem] = []
        var pendingRestart: [String] = []
        var observers: [@Sendable (LumenConfiguration) -> Void] = []
    }

    /// Reads the configuration for the first time. Blocks: for start-up only.
    ///
    /// - Parameter interval: how often the file is read. Its content is compared, not its time: an editor may keep that.
    public init(
        path: String, environment: [String: String], interval: Duration = .seconds(2), logger: Logger
    ) throws(ConfigurationProblems) {
        self.path = path
        self.environment = environment
        self.interval = interval
        self.logger = logger
        let text = try ConfigurationLoader.read(path)
        let first = try ConfigurationLoader.load(text: text, path: path, environment: environment)
        state = NIOLockedValueBox(State(current: first, digest: SHA256.hash(data: Array(text.utf8))))
    }

    /// The configuration in force; cheap, from any thread.
    public var current: LumenConfiguration { state.withLockedValue { $0.current } }

    /// Why the file as it is now is not in force; empty when it is. For admins.
    public var problems: [ConfigurationProblem] { state.withLockedValue(\.problems) }

    /// The keys that the file sets otherwise than the process runs, until it is restarted.
    public var pendingRestart: [String] { state.withLockedValue(\.pendingRestart) }

    /// Has `observer` called with each new configuration after it came into force, on a thread of the watcher's: it must
    /// return soon.
    public func onChange(_ observer: @escaping @Sendable (LumenConfiguration) -> Void) {
        state.withLockedValue { $0.observers.append(observer) }
    }

    /// Follows the file until the service group shuts down.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: self.interval)) != nil { await self.reload() }
        }
    }

    /// Reads the file now. Returns once the new configuration is in force, or once it is known that it will not be.
    public func reload() async {
        // Reading a file blocks, and parsing one takes a while: neither belongs on the cooperative pool.
        try? await NIOThreadPool.singleton.runIfActive { self.readAgain() }
    }

    private func readAgain() {
        reading.withLock {
            do throws(ConfigurationProblems) {
                let text = try readText()
                let digest = SHA256.hash(data: Array(text.utf8))
                guard digest != state.withLockedValue({ $0.digest }) else { return }
                state.withLockedValue { $0.digest = digest }
                accept(try ConfigurationLoader.load(text: text, path: path, environment: environment))
            } catch {
                reject(error.problems)
            }
        }
    }

    /// A file that cannot be read is judged anew when it is back, even with the content that it had.
    private func readText() throws(ConfigurationProblems) -> String {
        do throws(ConfigurationProblems) {
            return try ConfigurationLoader.read(path)
        } catch {
            state.withLockedValue { $0.digest = nil }
            throw error
        }
    }

    private func accept(_ new: LumenConfiguration) {
        let running = current
        let (merged, pending) = new.keepingRestartKeys(of: running)
        for key in pending where !pendingRestart.contains(key) {
            logger.warning("A changed key takes effect only with a restart.", metadata: ["key": "\(key)"])
        }
        let observers = state.withLockedValue { state in
            state.current = merged
            state.problems = []
            state.pendingRestart = pending
            return state.observers
        }
        guard merged != running else { return }
        logger.info("The configuration was reloaded.", metadata: ["file": "\(path)"])
        for warning in merged.warnings { logger.warning("\(warning)") }
        for observer in observers { observer(merged) }
    }

    private func reject(_ problems: [ConfigurationProblem]) {
        let isNews = state.withLockedValue { state in
            defer { state.problems = problems }
            return state.problems != problems
        }
        guard isNews else { return }
        for problem in problems {
            logger.error("The configuration stays as it was.", metadata: ["problem": "\(problem)"])
        }
    }
}
