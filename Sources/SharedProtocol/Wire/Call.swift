/// A contract between two processes is a type: the parameters are its fields, the answer is `Reply`.

/// A request that one service makes of another and that has one answer.
public protocol Call: WireValue {
    associatedtype Reply: WireValue

    /// Name on the wire, `service.verb`.
    static var method: String { get }

    /// Whether the call may be sent again when it is unknown if the peer executed it.
    static var isIdempotent: Bool { get }
}

/// A call whose answer is preceded by events, each one raw JSON value that is carried verbatim. Its request may carry one
/// raw JSON value beside the parameters, the `body`. It has a connection of its own while it runs.
public protocol StreamingCall: Call {}

extension StreamingCall {
    /// A stream is never begun twice by the wire; whoever opened it decides.
    public static var isIdempotent: Bool { false }
}

/// The reply of a call that only confirms.
public struct Done: WireValue, Hashable {
    public init() {}
}
