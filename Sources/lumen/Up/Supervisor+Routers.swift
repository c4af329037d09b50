import Glibc
import Logging
import NIOCore
import SharedProtocol

/// Routers that come and go while the site runs.
extension Supervisor {
    /// Routers beside each other, draining ones included; more than a machine has use for.
    static let routerCountLimit = 64
    /// How long adding a router waits for its first answer.
    static let addLimit = Duration.seconds(10)

    /// Starts one more router, which is kept alive like the others, and waits for its first answer: the reply's state is
    /// `running`, or another when it has not come within `addLimit`. Throws `refused`.
    func addRouter() async throws(CallError) -> Supervision.Child {
        if isStopping { throw CallError(.refused, "Lumen is stopping.") }
        let routers = children.values.filter { $0.plan.service == .router }
        guard let plan = routers.first?.plan else { throw CallError(.refused, "This site has no routers.") }
        guard routers.count < Self.routerCountLimit else {
            throw CallError(.refused, "There are \(routers.count) routers already, which is the most.")
        }
        let place = (children.keys.max() ?? 0) + 1
        children[place] = Child(plan: plan)
        additions.continuation.yield(place)
        let deadline = ContinuousClock.now + Self.addLimit
        while let child = children[place] {
            if child.hasBeenReady || isStopping || ContinuousClock.now >= deadline { return child.report }
            try? await Task.sleep(for: .milliseconds(10))
        }
        throw CallError(.refused, "The new router was drained before it had answered.")
    }

    /// Has a router finish its streams and leave; returns at once. One that has not left after `routing.drain` and a margin
    /// is killed. Throws `notFound`, and `refused` for the only router that takes requests.
    func drainRouter(_ instance: InstanceID) async throws(CallError) -> Supervision.Child {
        guard let (place, child) = children.first(where: { $1.plan.service == .router && $1.instance == instance })
        else { throw CallError(.notFound, "There is no router \(instance).") }
        if child.isDraining { return child.report }
        let others = children.values.filter { $0.plan.service == .router && $0.state == .running && !$0.isDraining }
        guard others.contains(where: { $0.instance != instance }) else {
            throw CallError(.refused, "\(instance) is the only router that takes requests; add another one first.")
        }
        children[place]?.isDraining = true
        children[place]?.state = .draining
        log.notice("a router drains", metadata: ["child": "\(instance)"])
        if let process = child.process {
            process.send(SIGTERM)
            killLater(process, place)
        }
        return children[place]?.report ?? child.report
    }

    /// Waits for the next router to be added; ends when the task is cancelled.
    func nextAddition() async -> Event {
        for await place in additions.stream { return .added(place) }
        return .stop
    }

    /// A process that does not heed its drain is killed.
    private func killLater(_ process: ChildProcess, _ place: Int) {
        Task {
            try await Task.sleep(for: await drain() + Self.webMargin)
            // Its number is another's by now when it has left.
            if children[place]?.process === process { process.send(SIGKILL) }
        }
    }
}
