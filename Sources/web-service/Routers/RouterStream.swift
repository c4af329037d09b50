import NIOConcurrencyHelpers
import NIOCore
import SharedProtocol

/// One running completion on one router. It counts as outstanding until it ends or is let go.
final class RouterStream: Sendable {
    private let stream: EventStream<Router.Completion>
    private let router: RouterInstance
    private let ticket: UInt64
    private let first: NIOLockedValueBox<[ByteBuffer]?>

    private init(
        _ stream: EventStream<Router.Completion>, _ router: RouterInstance, _ ticket: UInt64, first: [ByteBuffer]
    ) {
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
        do throws(CallError) {
            let stream = try await router.caller.open(call, body: body, request: request, timeout: timeout)
            router.streamOpened(ticket) { stream.cancel() }
            let first = try await Self.first(of: stream)
            router.streamBegan(ticket)
            return RouterStream(stream, router, ticket, first: first)
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
        let first = first.withLockedValue { first in
            defer { first = nil }
            return first
        }
        if let first { return first }
        return try await stream.next()
    }

    /// How the completion ended, once `next()` has returned no events.
    var completion: Router.Completion {
        get throws(CallError) { try stream.reply }
    }

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
