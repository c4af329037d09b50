import NIOConcurrencyHelpers
import NIOCore

/// Which calls a service answers, and with what.
public struct CallTable: Sendable {
    enum Entry: Sendable {
        case unary(@Sendable (UInt64, ByteBuffer, CallContext) async -> ByteBuffer)
        case streaming(@Sendable (UInt64, ByteBuffer, CallBody) -> StreamAnswer)
    }

    /// Answers one streaming call, whose parameters have been decoded; what it returns is the reply's frame.
    typealias StreamAnswer = @Sendable (CallContext, EventSink) async -> ByteBuffer

    private(set) var entries: [String: Entry] = [:]

    public init() {}

    /// Answers a call. The task is not cancelled when the caller leaves: what it began, it finishes.
    public mutating func on<C: Call>(
        _ type: C.Type, _ answer: @escaping @Sendable (C, CallContext) async throws(CallError) -> C.Reply
    ) {
        entries[C.method] = .unary { id, params, context in
            do throws(CallError) {
                return Self.reply(to: id, try await answer(try params.decodeJSON(C.self), context))
            } catch {
                return Frame.failure(id: id, error)
            }
        }
    }

    /// Answers a streaming call. The task is cancelled when the caller cancels or leaves, and must then return its reply
    /// within 50 ms.
    public mutating func onStream<C: StreamingCall>(
        _ type: C.Type,
        _ answer: @escaping @Sendable (C, CallBody, CallContext, EventSink) async throws(CallError) -> C.Reply
    ) {
        entries[C.method] = .streaming { id, params, body in
            let call: C
            do throws(CallError) {
                call = try params.decodeJSON(C.self)
            } catch {
                return { _, _ in Frame.failure(id: id, error) }
            }
            return { context, events in
                do throws(CallError) {
                    return Self.reply(to: id, try await answer(call, body, context, events))
                } catch {
                    return Frame.failure(id: id, error)
                }
            }
        }
    }

    // Not inlined: a stream may run for hours, and its task keeps whatever each function on the way has in its hands.
    @inline(never)
    private static func reply(to id: UInt64, _ reply: some WireValue) -> ByteBuffer {
        do throws(CallError) {
            return try Frame.reply(id: id, .success(reply))
        } catch {
            return Frame.failure(id: id, error)
        }
    }
}

/// The raw JSON that came with a streaming call. Whoever answers takes it, and so decides how long its memory is held: an
/// answer may run for hours.
public final class CallBody: Sendable {
    private let bytes: NIOLockedValueBox<ByteBuffer?>

    public init(_ bytes: ByteBuffer?) { self.bytes = NIOLockedValueBox(bytes) }

    /// The body, once; nil when there is none.
    public func take() -> ByteBuffer? {
        bytes.withLockedValue { bytes in
            defer { bytes = nil }
            return bytes
        }
    }
}

/// What a handler may know of the call beside its parameters.
public struct CallContext: Sendable {
    public let request: RequestID?
    /// When the caller stops waiting.
    public let deadline: NIODeadline
    public let peer: InstanceID

    public init(request: RequestID?, deadline: NIODeadline, peer: InstanceID) {
        self.request = request
        self.deadline = deadline
        self.peer = peer
    }
}

/// Where a streaming handler puts its events.
public struct EventSink: Sendable {
    private let write: @Sendable (ByteBuffer) async throws(CallError) -> Void

    init(_ write: @escaping @Sendable (ByteBuffer) async throws(CallError) -> Void) { self.write = write }

    /// Sends one raw JSON value, carried verbatim: the handler vouches that it is valid (`JSONScan`). Suspends while the
    /// peer reads slowly; throws `connectionLost` when it is gone.
    public func send(_ event: ByteBuffer) async throws(CallError) { try await write(event) }
}
