import Logging
import NIOConcurrencyHelpers
import ServiceLifecycle
import SharedProtocol

/// The requests of this web that hold a reservation. Every 2 s the ledger hears that we live and how far each has come, so
/// that it can bill what was produced should we die.
final class LiveRequests: ServiceLifecycle.Service {
    static let interval = Duration.seconds(2)

    private let owner: InstanceID
    private let ledger: any Caller
    private let answers = NIOLockedValueBox<[RequestID: Ledger.Progress]>([:])
    private let log = Logger(label: "live")

    init(owner: InstanceID, ledger: any Caller) {
        self.owner = owner
        self.ledger = ledger
    }

    var count: Int { answers.withLockedValue { $0.count } }

    func began(_ request: RequestID, prompt: TokenCount) {
        answers.withLockedValue { $0[request] = Ledger.Progress(request: request, prompt: prompt, completion: 0) }
    }

    func progressed(_ request: RequestID, completion: TokenCount) {
        answers.withLockedValue { $0[request]?.completion = completion }
    }

    func ended(_ request: RequestID) {
        answers.withLockedValue { _ = $0.removeValue(forKey: request) }
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try? await Task.sleep(for: Self.interval)
                await self.report()
            }
        }
    }

    /// Only what has produced something is named: the lease covers the others.
    private func report() async {
        let progress = answers.withLockedValue { $0.values.filter { $0.completion > 0 } }
        do {
            let renewal = Ledger.Renew(owner: owner, progress: progress)
            _ = try await ledger.call(renewal, request: nil, timeout: Self.interval)
        } catch {
            log.warning("the ledger did not hear our progress", metadata: ["code": "\(error.code)"])
        }
    }
}
