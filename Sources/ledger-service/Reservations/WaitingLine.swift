import SharedProtocol

/// Requests that wait for one pool's tokens, first come first served.
struct WaitingLine: Sendable {
    /// How many may wait for one pool; the next is decided at once.
    static let limit = 256

    private var requests: [RequestID] = []

    var isEmpty: Bool { requests.isEmpty }
    var isFull: Bool { requests.count >= Self.limit }
    var first: RequestID? { requests.first }

    mutating func append(_ request: RequestID) { requests.append(request) }

    mutating func remove(_ request: RequestID) { requests.removeAll { $0 == request } }
}
