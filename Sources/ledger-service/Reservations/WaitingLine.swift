import SharedProtocol

/// Requests that wait for one pool's tokens, first come first served.
struct WaitingLine: Sendable {
    /// How many may wait for one pool; the next is decided at once.
    static let limit = 256

    private var calls: [Ledger.Reserve] = []

    var isEmpty: Bool { calls.isEmpty }
    var isFull: Bool { calls.count >= Self.limit }
    var first: Ledger.Reserve? { calls.first }

    mutating func append(_ call: Ledger.Reserve) { calls.append(call) }

    mutating func remove(_ request: RequestID) -> Ledger.Reserve? {
        calls.firstIndex { $0.request == request }.map { calls.remove(at: $0) }
    }
}
