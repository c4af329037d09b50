import Logging
import NIOConcurrencyHelpers
import ServiceLifecycle
import SharedProtocol

/// Delivers the end of every request to the ledger, until when it counts as live. A post that the ledger does not take within 2 s is kept on disk, so
/// that the reply may end; posts and voids that are kept are delivered when the ledger is back.
final class Settler: ServiceLifecycle.Service {
    static let callTimeout = Duration.seconds(2)
    static let retryInterval = Duration.seconds(1)
    /// Kept settlements that are tried per round.
    static let batch = 100
    /// Voids that wait in memory; beyond, a reservation stays until the lease of this web ends.
    static let voidLimit = 10_000

    private let ledger: any Caller
    private let pending: PendingPosts
    private let live: LiveRequests
    private let voids = NIOLockedValueBox<Set<RequestID>>([])
    private let log = Logger(label: "settler")

    init(ledger: any Caller, pending: PendingPosts, live: LiveRequests) {
        self.ledger = ledger
        self.pending = pending
        self.live = live
    }

    /// Bills a request. Returns when that is durable; the receipt is nil when the ledger will say later what it cost.
    func post(_ post: Ledger.Post) async -> Ledger.Receipt? {
        do {
            let receipt = try await ledger.call(post, request: post.request, timeout: Self.callTimeout)
            live.ended(post.request)
            return receipt
        } catch {
            log.warning("a post waits", metadata: ["request_id": "\(post.request)", "code": "\(error.code)"])
        }
        do {
            try await pending.add(post)
        } catch {
            log.critical("a post could not be kept", metadata: ["request_id": "\(post.request)"])
            await keepTrying(post)
        }
        return nil
    }

    /// Both the ledger and our own disk refuse: the bill is held by this very task, and so is the end of the reply.
    private func keepTrying(_ post: Ledger.Post) async {
        while true {
            try? await Task.sleep(for: Self.retryInterval)
            let isBilled = (try? await ledger.call(post, request: post.request, timeout: Self.callTimeout)) != nil
            if isBilled { return live.ended(post.request) }
            if (try? await pending.add(post)) != nil { return }
        }
    }

    /// Gives a reservation back.
    func void(_ request: RequestID) async {
        defer { live.ended(request) }
        do {
            _ = try await ledger.call(Ledger.Void(request: request), request: request, timeout: Self.callTimeout)
        } catch {
            voids.withLockedValue { voids in
                if voids.count < Self.voidLimit { voids.insert(request) }
            }
        }
    }

    /// Delivers what is kept until shutdown; what is still there then is delivered after the next start.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try? await Task.sleep(for: Self.retryInterval)
                await self.deliver()
            }
        }
    }

    /// One round. When the ledger is away, what failed for one will fail for the next.
    private func deliver() async {
        for request in voids.withLockedValue({ $0.prefix(Self.batch) }) {
            let reply = try? await ledger.call(
                Ledger.Void(request: request), request: request, timeout: Self.callTimeout)
            guard reply != nil else { return }
            voids.withLockedValue { _ = $0.remove(request) }
        }
        guard let posts = try? await pending.oldest(Self.batch) else { return }
        for post in posts {
            do {
                _ = try await ledger.call(post, request: post.request, timeout: Self.callTimeout)
                live.ended(post.request)
                try await pending.remove(post.request)
                log.info("a kept post was delivered", metadata: ["request_id": "\(post.request)"])
            } catch  where error.code == .invalidParams || error.code == .internalError {
                log.critical("the ledger refuses a kept post", metadata: ["request_id": "\(post.request)"])
            } catch {
                return
            }
        }
    }
}
