import FoundationEssentials
import Glibc
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import SharedProtocol
import UnixSignals

/// What every service does between `main` and its own work: limits, logging, the configuration, and an orderly end.
public struct ServiceProcess: Sendable {
    /// `EX_CONFIG` of sysexits(3): the configuration is wrong; starting again will not help.
    public static let badConfigurationStatus: Int32 = 78
    /// What is added to `routing.drain` before a service that does not end by itself is cancelled.
    static let shutdownMargin = Duration.seconds(5)

    public let identity: ServiceIdentity
    public let configuration: ConfigurationWatcher
    /// `--listen`, when it was given.
    public let listen: String?
    /// One thread: the work of a service is in its libraries' threads and in Swift's pool.
    public let group: any EventLoopGroup
    /// That thread, for tasks.
    public let executor: EventLoopExecutor

    /// Runs a service: loads the configuration (else exits with status 78, every problem printed), lets `build` put the
    /// parts together, and runs them, dependencies first, until SIGTERM, SIGINT or the supervisor's end.
    public static func run(
        _ service: ServiceName, _ arguments: ServiceArguments,
        build: (ServiceProcess) async throws -> [any Service]
    ) async throws {
        raiseDescriptorLimit()
        signal(SIGPIPE, SIG_IGN)
        let instance = arguments.instance
        LoggingSystem.bootstrap { label in
            JSONLogHandler(label: label, service: service.rawValue, instance: instance.rawValue)
        }
        let log = Logger(label: service.rawValue)
        let watcher = loadConfiguration(service, arguments, log)
        JSONLogHandler.setLevel(watcher.current.app.logLevel)
        watcher.onChange { JSONLogHandler.setLevel($0.app.logLevel) }
        do throws(UnusableConfiguration) {
            try RunDirectory.make(watcher.current.app.runDirectory)
        } catch {
            fail(error.sentences)
        }
        watchSupervisor()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let process = ServiceProcess(
            identity: ServiceIdentity(service: service, instance: instance, pid: getpid()),
            configuration: watcher, listen: arguments.listen, group: group, executor: EventLoopExecutor(group.next()))
        do {
            try await runGroup(process, [watcher, ReloadSignal(watcher)] + (try await build(process)), log)
        } catch let problem as UnusableConfiguration {
            fail(problem.sentences)
        } catch {
            log.critical("stopped: \(error)")
            exit(EXIT_FAILURE)
        }
        log.info("stopped")
    }

    private static func runGroup(_ process: ServiceProcess, _ services: [any Service], _ log: Logger) async throws {
        var configuration = ServiceGroupConfiguration(
            services: services.map { .init(service: $0) }, gracefulShutdownSignals: [.sigterm, .sigint], logger: log)
        configuration.maximumGracefulShutdownDuration =
            process.configuration.current.routing.drain + shutdownMargin
        configuration.maximumCancellationDuration = shutdownMargin
        log.info("started", metadata: ["pid": "\(getpid())", "version": "\(process.identity.version)"])
        let group = ServiceGroup(configuration: configuration)
        async let _: Void = StartUpPages.releaseAfterStart()
        try await withTaskExecutorPreference(process.executor) { try await group.run() }
    }

    private static func loadConfiguration(
        _ service: ServiceName, _ arguments: ServiceArguments, _ log: Logger
    ) -> ConfigurationWatcher {
        var environment = ProcessInfo.processInfo.environment
        // Web's address is a key of the configuration; the other services listen on sockets of their own.
        if service == .web, let listen = arguments.listen { environment["LUMEN_LISTEN"] = listen }
        do throws(ConfigurationProblems) {
            return try ConfigurationWatcher(
                path: arguments.configuration.path, environment: environment, logger: log)
        } catch {
            fail(error.problems.map(\.description))
        }
    }

    private static func fail(_ sentences: [String]) -> Never {
        let text = sentences.joined(separator: "\n") + "\n"
        _ = write(STDERR_FILENO, text, text.utf8.count)
        exit(badConfigurationStatus)
    }

    /// Streams are descriptors, several each: take all that the hard limit allows.
    public static func raiseDescriptorLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}

/// Thrown by a `build` that finds the configuration unusable only when it puts the parts together; ends the service with
/// status 78.
public struct UnusableConfiguration: Error {
    public let sentences: [String]
    public init(_ sentences: String...) { self.sentences = sentences }
}

/// SIGHUP: read the configuration now.
private struct ReloadSignal: Service {
    let watcher: ConfigurationWatcher

    init(_ watcher: ConfigurationWatcher) { self.watcher = watcher }

    func run() async throws {
        for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
            await watcher.reload()
        }
    }
}
