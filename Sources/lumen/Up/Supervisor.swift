import Glibc
import Logging
import NIOCore
import ServiceLifecycle
import SharedProtocol

/// Keeps a child process alive in each place of the plan, and ends them all in order: web first, so that no new request
/// begins, then the routers, whose streams have ended with web, then auth and ledger, which the others need to the last.
/// Routers come and go meanwhile (`Supervisor+Routers.swift`).
actor Supervisor: Service {
    /// What is added to `routing.drain` before web is killed; a service gives up by itself a little earlier.
    static let webMargin = Duration.seconds(10)
    /// How long routers may take to end: nothing runs on them any more.
    static let routerLimit = Duration.seconds(3)
    /// How long auth and ledger may take to end; the ledger finishes its last commit.
    static let storeLimit = Duration.seconds(10)

    private let pipe: SupervisorPipe
    private let environment: [String: String]
    let drain: @Sendable () async -> Duration
    private let whenReady: @Sendable () -> Void
    private let readiness: Readiness
    let log = Logger(label: "supervisor")
    /// By place; places are numbered in the order of starting, and never again.
    var children: [Int: Child]
    private var isAnnounced = false
    /// Once everything is to end, nothing is added any more.
    private(set) var isStopping = false
    /// The places of routers that were added while the others ran.
    let additions = AsyncStream.makeStream(of: Int.self, bufferingPolicy: .bufferingNewest(routerCountLimit))

    struct Child {
        let plan: ChildPlan
        var policy = RestartPolicy()
        var process: ChildProcess?
        var instance = InstanceID.random()
        var restarts = 0
        var state = Supervision.Child.State.starting
        var hasBeenReady = false
        /// Told to finish what it does and to leave; it is not started again.
        var isDraining = false

        var report: Supervision.Child {
            Supervision.Child(
                service: plan.service, instance: instance, pid: process?.pid, restarts: restarts, state: state)
        }
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
        children = Dictionary(uniqueKeysWithValues: plans.enumerated().map { ($0, Child(plan: $1)) })
        self.environment = environment
        self.readiness = readiness
        self.drain = drain
        self.whenReady = whenReady
    }

    /// Runs until graceful shutdown or cancellation; throws `Failure` when a child cannot be kept alive. No child is left
    /// when it returns.
    func run() async throws {
        let failure = await withTaskGroup(of: Event.self) { group in
            for place in children.keys.sorted() { group.addTask { await self.keepAlive(place) } }
            group.addTask {
                // Cancellation is another way to be told to stop.
                try? await gracefulShutdown()
                return .stop
            }
            group.addTask { await self.nextAddition() }
            var failure: Failure?
            while let event = await group.next(), !event.endsEverything(&failure) {
                guard case .added(let place) = event else { continue }
                group.addTask { await self.keepAlive(place) }
                group.addTask { await self.nextAddition() }
            }
            // From here on a child that ends is not started again.
            isStopping = true
            group.cancelAll()
            // A cancelled task could not wait for the children to end.
            await Task { await self.stop() }.value
            return failure
        }
        if let failure { throw failure }
    }

    enum Event {
        case stop
        case failed(Failure)
        /// A router is to be kept alive in this new place.
        case added(Int)
        /// A drained router has left.
        case left

        fileprivate func endsEverything(_ failure: inout Failure?) -> Bool {
            switch self {
            case .stop: return true
            case .failed(let reason):
                failure = reason
                return true
            case .added, .left: return false
            }
        }
    }

    /// In the order of starting.
    var report: Supervision.Report {
        Supervision.Report(children: children.sorted { $0.key < $1.key }.map(\.value.report))
    }
}

// MARK: Keeping alive

extension Supervisor {
    /// Returns when the child has been drained or when the site is to end: because this child cannot be kept alive, or
    /// because its task was cancelled.
    private func keepAlive(_ place: Int) async -> Event {
        while !Task.isCancelled, let plan = children[place]?.plan {
            let exit = await runOnce(place, plan)
            if Task.isCancelled { break }
            if hasLeft(place) { return .left }
            switch children[place]?.policy.died(exit, at: .now()) {
            case .restart(let delay):
                await waitForRestart(place, exit, delay)
                if hasLeft(place) { return .left }
            case .giveUp(let reason):
                children[place]?.state = .stopped
                return .failed(failure(of: plan.service, exit, reason))
            case nil: return .left
            }
        }
        children[place]?.state = .stopped
        return .stop
    }

    /// Starts a child and returns how it ended.
    private func runOnce(_ place: Int, _ plan: ChildPlan) async -> ChildExit {
        let instance = InstanceID.random()
        children[place]?.instance = instance
        children[place]?.state = .starting
        do throws(OperatorError) {
            let process = try ChildProcess(
                plan.executable, arguments: plan.arguments(of: instance), environment: environment, pipe: pipe.readEnd)
            children[place]?.process = process
            // Cancelled when this scope ends with the child.
            async let _: Void = watchReadiness(place, instance, plan)
            let exit = await process.exit()
            children[place]?.process = nil
            // A killed router's socket has a name that no other instance will take over.
            SocketFile.removeIfDead(plan.socket(of: instance))
            return exit
        } catch {
            log.error("could not be started", metadata: ["child": "\(plan.service)", "error": "\(error)"])
            return .status(ChildExit.cannotExecute)
        }
    }

    private func waitForRestart(_ place: Int, _ exit: ChildExit, _ delay: TimeAmount) async {
        guard var child = children[place] else { return }
        child.state = .waiting
        child.restarts += 1
        children[place] = child
        log.warning(
            "\(child.plan.service) \(exit)",
            metadata: [
                "child": "\(child.instance)", "restart_in_ms": "\(delay.nanoseconds / 1_000_000)",
                "restarts": "\(child.restarts)",
            ])
        // Ends early when the site is to end.
        try? await Task.sleep(for: .nanoseconds(delay.nanoseconds))
    }

    /// Forgets a child that was drained.
    private func hasLeft(_ place: Int) -> Bool {
        guard let child = children[place], child.isDraining else { return false }
        log.notice("a drained router has left", metadata: ["child": "\(child.instance)"])
        children[place] = nil
        return true
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

    private func watchReadiness(_ place: Int, _ instance: InstanceID, _ plan: ChildPlan) async {
        guard await readiness.wait(for: instance, of: plan), var child = children[place], !child.isDraining else {
            return
        }
        child.state = .running
        child.policy.becameReady()
        child.hasBeenReady = true
        children[place] = child
        if !isAnnounced, children.values.allSatisfy(\.hasBeenReady) {
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
        let running = children.values.filter { services.contains($0.plan.service) }.compactMap(\.process)
        for process in running { process.send(SIGTERM) }
        let killer = Task {
            try await Task.sleep(for: limit)
            for process in running { process.send(SIGKILL) }
        }
        for process in running { _ = await process.exit() }
        killer.cancel()
    }
}
