import Logging
import ServiceLifecycle
import SharedProtocol

/// Tells the ledger that this web lives and how far its requests have come, so that what was produced is billed should web
/// die. What is produced after the last report of a web that dies is billed to nobody.
struct LeaseKeeper: ServiceLifecycle.Service {
    static let interval = Duration.seconds(1)
    static let callTimeout = Duration.seconds(2)

    let owner: InstanceID
    let live: LiveRequests
    let ledger: any Caller
    private static let log = Logger(label: "lease")

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: Self.interval)) != nil { await report(isLeaving: false) }
        }
        // Everything that could reserve has stopped. A ledger that starts next need not wait for this web.
        await report(isLeaving: true)
    }

    private func report(isLeaving: Bool) async {
        do {
            let renewal = Ledger.Renew(
                owner: owner, progress: live.takeProgress(), isLeaving: isLeaving ? true : nil)
            _ = try await ledger.call(renewal, request: nil, timeout: Self.callTimeout)
        } catch {
            Self.log.warning("the ledger did not hear our progress", metadata: ["code": "\(error.code)"])
        }
    }
}
