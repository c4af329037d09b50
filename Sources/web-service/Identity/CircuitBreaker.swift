import Logging
import NIOConcurrencyHelpers
import NIOCore
import ServiceLifecycle
import SharedProtocol

/// Calls a service on behalf of those who wait for it. When one of them has waited in vain, those who come next are told so at
/// once, `unavailable`, until the service answers again: one probe at a time goes on asking it.
final class CircuitBreaker: Caller, ServiceLifecycle.Service {
    /// As long as somebody waits, so that a slow service is not kept out for its slowness.
    static let probeTimeout = Identities.callTimeout
    /// Between two probes of a service that is away: its socket refuses at once.
    static let probePause = Duration.milliseconds(100)

    private struct State {
        var isOpen = false
        /// When an answer came last, whatever it said.
        var answered = NIODeadline.uptimeNanoseconds(0)
    }

    private let service: any Caller
    private let state = NIOLockedValueBox(State())
    private let openings: AsyncStream<Void>
    private let opened: AsyncStream<Void>.Continuation
    private let log: Logger

    /// - Parameter name: of the service, for the log.
    init(_ service: any Caller, name: ServiceName) {
        self.service = service
        (openings, opened) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        var log = Logger(label: "circuit")
        log[metadataKey: "peer"] = "\(name)"
        self.log = log
    }

    func call<C: Call>(_ call: C, request: RequestID?, timeout: Duration) async throws(CallError) -> C.Reply {
        if state.withLockedValue(\.isOpen) {
            throw CallError(.unavailable, "the service did not answer a moment ago")
        }
        let began = NIODeadline.now()
        do {
            let reply = try await service.call(call, request: request, timeout: timeout)
            answered()
            return reply
        } catch {
            if error.isSilence { silent(since: began) } else { answered() }
            throw error
        }
    }

    /// A stream is not waited for by anybody.
    func open<C: StreamingCall>(
        _ call: C, body: ByteBuffer?, request: RequestID?, timeout: Duration
    ) async throws(CallError) -> EventStream<C.Reply> {
        try await service.open(call, body: body, request: request, timeout: timeout)
    }

    /// Probes the service whenever it was silent, until it answers.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await _ in self.openings {
                while !Task.isCancelled, await !self.probe() { try? await Task.sleep(for: Self.probePause) }
            }
        }
    }

    /// - Returns: whether the service has answered.
    private func probe() async -> Bool {
        do throws(CallError) {
            _ = try await service.call(Instance.Status(), request: nil, timeout: Self.probeTimeout)
        } catch {
            if error.isSilence { return false }
        }
        answered()
        return true
    }

    /// Something came from the service.
    func answered() {
        let closes = state.withLockedValue { state in
            state.answered = .now()
            defer { state.isOpen = false }
            return state.isOpen
        }
        if closes { log.notice("the service answers again") }
    }

    /// Somebody has waited in vain. When others were answered meanwhile, it is the call and not the service.
    private func silent(since began: NIODeadline) {
        let opens = state.withLockedValue { state in
            guard !state.isOpen, state.answered < began else { return false }
            state.isOpen = true
            return true
        }
        guard opens else { return }
        log.warning("the service does not answer")
        opened.yield()
    }
}

extension CallError {
    /// No answer came. A connection that broke is none: whoever calls again waits for the service's return.
    fileprivate var isSilence: Bool { code == .unavailable || code == .deadlineExceeded }
}
