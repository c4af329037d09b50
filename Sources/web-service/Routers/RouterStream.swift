import NIOConcurrencyHelpers
import NIOCore
import SharedProtocol

/// One running completion on one router. It counts as outstanding until it ends or is let go.
final class RouterStream: Sendable {
    private let stream: EventStream<Router.Completion>
    private let router: RouterInstance
    private let ticket: UInt64
    private let first: NIOLockedValueBox<[ByteBuffer]?>
    /// Cancelled because the router was silent for too long: nobody who asked has left.
    private let isGivenUp: NIOLockedValueBox<Bool>

    private init(
        _ stream: EventStream<Router.Completion>, _ router: RouterInstance, _ ticket: UInt64, first: [ByteBuffer],
        isGivenUp: NIOLockedValueBox<Bool>
    ) {
        self.isGivenUp = isGivenUp
        self.stream = stream
        self.router = router
        self.ticket = ticket
        self.first = NIOLockedValueBox(first)
    }

    deinit { router.streamEnded(ticket) }

    /// Opens the call and waits for its first events. Throws when the router went away before it had begun to answer; the
    /// ticket is then given back.
    static func open(
        _ call: Router.Complete, body: ByteBuffer, request: RequestID, timeout: Duration,
        on router: RouterInstance, _ ticket: UInt64
    ) async throws(CallError) -> RouterStream {
        let isGivenUp = NIOLockedValueBox(false)
        do throws(CallError) {
            let stream = try await router.caller.open(call, body: body, request: request, timeout: timeout)
            router.streamOpened(ticket) {
                isGivenUp.withLockedValue { $0 = true }
                stream.cancel()
            }
            let first = try await Self.first(of: stream)
            if first.isEmpty, isGivenUp.withLockedValue({ $0 }) { throw fellSilent }
            router.heard()
            router.streamBegan(ticket)
            return RouterStream(stream, router, ticket, first: first, isGivenUp: isGivenUp)
        } catch {
            router.streamEnded(ticket)
            throw error
        }
    }

    /// Cancelling the task cancels the call; its first events are then none, and its reply tells what it had done.
    private static func first(
        of stream: EventStream<Router.Completion>
    ) async throws(CallError) -> [ByteBuffer] {
        let events: Result<[ByteBuffer], CallError> = await withTaskCancellationHandler {
            do throws(CallError) {
                return .success(try await stream.next())
            } catch {
                return .failure(error)
            }
        } onCancel: {
            stream.cancel()
        }
        return try events.get()
    }

    /// All that has arrived; empty after the last event. Throws when the router went away.
    func next() async throws(CallError) -> [ByteBuffer] {
        if let first = takeFirst() { return first }
        let events = try await stream.next()
        router.heard()
        return events
    }

    @inline(never)
    private func takeFirst() -> [ByteBuffer]? {
        first.withLockedValue { first in
            defer { first = nil }
            return first
        }
    }

    /// How the completion ended, once `next()` has returned no events. Throws when the router went away, or was given up.
    var completion: Router.Completion {
        get throws(CallError) {
            let reply = try stream.reply
            if reply.isCancelled, isGivenUp.withLockedValue({ $0 }) { throw Self.fellSilent }
            return reply
        }
    }

    private static let fellSilent = CallError(.unavailable, "The router fell silent.")

    func cancel() { stream.cancel() }

    /// Whether it ended without any event.
    var hasEndedUnread: Bool { first.withLockedValue { $0?.isEmpty ?? false } }

    /// The router refused because it is stopping; it is not asked again.
    func isRefusedByDraining() -> Bool {
        guard hasEndedUnread, (try? completion.failure?.kind) == .draining else {
            return false
        }
        router.drains()
        return true
    }
}
