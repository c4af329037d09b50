import ArgumentParser
import FoundationEssentials
import Glibc
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import ServiceRuntime
import SharedProtocol
import UnixSignals

/// `lumen up`: the whole site as children of one process.
struct UpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: "Starts auth, ledger, routers and web, and keeps them running.",
        discussion: """
            Prints one line when everything is ready. SIGTERM or Ctrl-C lets running answers finish, for routing.drain at \
            most. A service that dies is started again; ten deaths within five minutes end everything.
            """
    )

    @OptionGroup var configuration: ConfigurationArgument

    @Option(help: "How many router instances to start.")
    var routers = 1

    func validate() throws {
        guard (1...Supervisor.routerCountLimit).contains(routers) else {
            throw ValidationError("--routers is a number from 1 to \(Supervisor.routerCountLimit).")
        }
    }

    func run() async throws {
        let site = try configuration.load()
        let identity = ServiceIdentity(service: .lumen, instance: .random(), pid: getpid())
        LoggingSystem.bootstrap {
            JSONLogHandler(label: $0, service: identity.service.rawValue, instance: identity.instance.rawValue)
        }
        JSONLogHandler.setLevel(max(site.app.logLevel, .notice))
        do {
            let plans = try plans(for: site)
            let folder = try RunFolder.take(site.app.runDirectory)
            defer { folder.release() }
            try await run(plans, site, identity)
        } catch let failure as Supervisor.Failure {
            StandardError.print("lumen: \(failure)")
            throw ExitCode(failure.exitStatus)
        } catch {
            StandardError.print("lumen: \(error)")
            throw ExitCode.failure
        }
    }

    private func run(_ plans: [ChildPlan], _ site: LumenConfiguration, _ identity: ServiceIdentity) async throws {
        let environment = ProcessInfo.processInfo.environment
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let log = Logger(label: "up")
        let watcher = try ConfigurationWatcher(path: configuration.path, environment: environment, logger: log)
        let supervisor = try Supervisor(
            plans, environment: environment, readiness: Readiness(identity: identity, group: group),
            drain: {
                await watcher.reload()
                return watcher.current.routing.drain
            },
            whenReady: {
                print("Lumen is ready at \(site.app.publicURL)")
                fflush(nil)
                StartUpPages.release()
            })
        var calls = CallTable()
        calls.on(Supervision.Status.self) { _, _ in await supervisor.report }
        calls.on(Supervision.AddRouter.self) { _, _ throws(CallError) in try await supervisor.addRouter() }
        calls.on(Supervision.DrainRouter.self) { call, _ throws(CallError) in
            try await supervisor.drainRouter(call.instance)
        }
        let server = CallServer(
            identity, socket: site.app.runDirectory + "/" + identity.service.socketName(of: identity.instance),
            calls: calls, on: group)
        var services = ServiceGroupConfiguration(
            services: [
                .init(service: server),
                .init(service: supervisor, successTerminationBehavior: .gracefullyShutdownGroup),
            ],
            gracefulShutdownSignals: [.sigterm, .sigint], logger: log)
        services.maximumGracefulShutdownDuration = nil
        try await ServiceGroup(configuration: services).run()
        try await group.shutdownGracefully()
    }

    /// The services' executables stand beside this one.
    private func plans(for site: LumenConfiguration) throws -> [ChildPlan] {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let programs = own[..<(own.lastIndex(of: "/") ?? own.startIndex)]
        let plans = ChildPlan.site(
            programs: String(programs), configurationPath: configuration.path, runDirectory: site.app.runDirectory,
            routers: routers)
        for plan in plans where access(plan.executable, X_OK) != 0 {
            throw OperatorError("\(plan.executable): \(String(cString: strerror(errno)))")
        }
        return plans
    }
}
