import Glibc
import Logging
import NIOCore
import ServiceLifecycle
import SharedProtocol

/// Keeps a child process alive in each place of the plan, and ends them all in order: web first, so that no new request
/// begins, then the routers, whose streams have ended with web, then auth and ledger, which the others need to the last.
actor Supervisor: Service {
    /// What is added to `routing.drain` before web is killed; a service gives up by itself a little earlier.
    static let webMargin = Duration.seconds(10)
    /// How long routers may take to end: nothing runs on them any more.
    static let routerLimit = Duration.seconds(3)
    /// How long auth and ledger may take to end; the ledger finishes its last commit.
    static let storeLimit = Duration.seconds(10)

    private let pipe: SupervisorPipe
    private let environment: [String: String]
    private let drain: @Sendable () async -> Duration
    private let whenReady: @Sendable () -> Void
    private let readiness: Readiness
    private let log = Logger(label: "supervisor")
    private var children: [Child]
    private var isAnnounced = false

    private struct Child {
        let plan: ChildPlan
        var policy = RestartPolicy()
        var process: ChildProcess?
        var instance = InstanceID.random()
        var restarts = 0
        var state = Supervision.Child.State.starting
        var hasBeenReady = false
    }

    /// Why everything was ended.
    struct Failure: Error, CustomStringConvertible {
        let description: String
        let exitStatus: Int32
    }

    /// - Parameters:
    ///   - drain: asked when everything is to end: how long streams may go on.
    ///   - whenReady: called once, when every child has answered.
    init(
        _ plans: [ChildPlan], environment: [String: String], readiness: Readiness,
        drain: @escaping @Sendable () async -> Duration, whenReady: @escaping @Sendable () -> Void
    ) throws {
        pipe = try SupervisorPipe()
        children = plans.map { Child(plan: $0) }
        self.environment = environment
        self.readiness = readiness
        self.drain = drain
        self.whenReady = whenReady
    }

    /// Runs until graceful shutdown or cancellation; throws `Failure` when a child cannot be kept alive. No child is left
    /// when it returns.
    func run() async throws {
        let failure = await withTaskGroup(of: Event.self) { group in
            for index in children.indices { group.addTask { await self.keepAlive(index) } }
            group.addTask {
                // Cancellation is another way to be told to stop.
                try? await gracefulShutdown()
                return .stop
            }
            let first = await group.next()
            // From here on a child that ends is not started again.
            group.cancelAll()
            // A cancelled task could not wait for the children to end.
            await Task { await self.stop() }.value
            return first?.failure
        }
        if let failure { throw failure }
    }

    private enum Event {
        case stop
        case failed(Failure)

        var failure: Failure? {
            if case .failed(let failure) = self { failure } else { nil }
        }
    }

    var report: Supervision.Report {
        Supervision.Report(
            children: children.map {
                Supervision.Child(
                    service: $0.plan.service, instance: $0.instance, pid: $0.process?.pid, restarts: $0.restarts,
                    state: $0.state)
            })
    }
}

// MARK: Keeping alive

extension Supervisor {
    /// Returns when the site is to end: because this child cannot be kept alive, or because its task was cancelled.
    private func keepAlive(_ index: Int) async -> Event {
        while !Task.isCancelled {
            let exit = await runOnce(index)
            if Task.isCancelled { break }
            switch children[index].policy.died(exit, at: .now()) {
            case .restart(let delay):
                await waitForRestart(index, exit, delay)
            case .giveUp(let reason):
                children[index].state = .stopped
                return .failed(failure(of: children[index].plan.service, exit, reason))
            }
        }
        children[index].state = .stopped
        return .stop
    }

    /// Starts a child and returns how it ended.
    private func runOnce(_ index: Int) async -> ChildExit {
        let plan = children[index].plan
        let instance = InstanceID.random()
        children[index].instance = instance
        children[index].state = .starting
        do throws(OperatorError) {
            let process = try ChildProcess(
                plan.executable, arguments: plan.arguments(of: instance), environment: environment, pipe: pipe.readEnd)
            children[index].process = process
            // Cancelled when this scope ends with the child.
            async let _: Void = watchReadiness(index, instance, plan)
            let exit = await process.exit()
            children[index].process = nil
            // A killed router's socket has a name that no other instance will take over.
            SocketFile.removeIfDead(plan.socket(of: instance))
            return exit
        } catch {
            log.error("could not be started", metadata: ["child": "\(plan.service)", "error": "\(error)"])
            return .status(ChildExit.cannotExecute)
        }
    }

    private func waitForRestart(_ index: Int, _ exit: ChildExit, _ delay: TimeAmount) async {
        children[index].state = .waiting
        children[index].restarts += 1
        log.warning(
            "\(children[index].plan.service) \(exit)",
            metadata: [
                "child": "\(children[index].instance)", "restart_in_ms": "\(delay.nanoseconds / 1_000_000)",
                "restarts": "\(children[index].restarts)",
            ])
        // Ends early when the site is to end.
        try? await Task.sleep(for: .nanoseconds(delay.nanoseconds))
    }

    private func failure(of service: ServiceName, _ exit: ChildExit, _ reason: RestartPolicy.Reason) -> Failure {
        switch reason {
        case .badConfiguration:
            Failure(
                description: "\(service)-service does not accept its configuration; see its message above.",
                exitStatus: ChildExit.badConfiguration)
        case .diesTooOften:
            Failure(
                description: """
                    \(service)-service died \(RestartPolicy.deathLimit) times within five minutes; \
                    the last time it \(exit). Everything has been stopped.
                    """,
                exitStatus: 1)
        }
    }

    private func watchReadiness(_ index: Int, _ instance: InstanceID, _ plan: ChildPlan) async {
        guard await readiness.wait(for: instance, of: plan) else { return }
        children[index].state = .running
        children[index].policy.becameReady()
        children[index].hasBeenReady = true
        if !isAnnounced, children.allSatisfy(\.hasBeenReady) {
            isAnnounced = true
            whenReady()
        }
    }
}

// MARK: Stopping

extension Supervisor {
    private func stop() async {
        let drain = await drain()
        await stop([.web], within: drain + Self.webMargin)
        await stop([.router], within: Self.routerLimit)
        await stop([.auth, .ledger], within: Self.storeLimit)
    }

    /// Asks the children of these services to end, and kills those that have not by then.
    private func stop(_ services: [ServiceName], within limit: Duration) async {
        let running = children.filter { services.contains($0.plan.service) }.compactMap(\.process)
        for process in running { process.send(SIGTERM) }
        let killer = Task {
            try await Task.sleep(for: limit)
            for process in running { process.send(SIGKILL) }
        }
        for process in running { _ = await process.exit() }
        killer.cancel()
    }
}
