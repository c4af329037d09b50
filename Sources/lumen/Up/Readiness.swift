import Glibc
import NIOCore
import SharedProtocol

/// Asks an instance how it is until it is ready.
struct Readiness: Sendable {
    /// Between two attempts while the socket is not there.
    private static let interval = Duration.milliseconds(10)
    /// Of one attempt; also how long it can go on after the task was cancelled.
    private static let attemptLimit = Duration.milliseconds(200)

    let identity: ServiceIdentity
    let group: any EventLoopGroup

    /// Returns false when the task was cancelled before.
    func wait(for instance: InstanceID, of plan: ChildPlan) async -> Bool {
        let socket = plan.socket(of: instance)
        guard let client = try? CallClient(to: socket, as: identity, on: group) else { return false }
        defer { client.close() }
        while !Task.isCancelled {
            if access(socket, F_OK) == 0,
                let report = try? await client.call(Instance.Status(), timeout: Self.attemptLimit),
                plan.isReady(report)
            {
                return true
            }
            try? await Task.sleep(for: Self.interval)
        }
        return false
    }
}
