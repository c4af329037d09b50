import SharedProtocol

/// How the last requests ended, so that a call that comes again, or too late, finds out. Bounded: the oldest are
/// forgotten. What was billed stays known from the journal.
struct EndedRequests: Sendable {
    enum End: Sendable, Equatable, Codable {
        case refused(Ledger.Refusal)
        case billed(Ledger.Receipt)
        /// Its owner gave it back, perhaps before it was even reserved.
        case voided
        /// Its owner fell silent; what it used may still be told.
        case lost
    }

    /// At 1,000 requests a second this reaches back half a minute: more than any call may take to arrive.
    static let capacity = 32_768

    private var ends: [RequestID: End] = [:]
    private var order: [RequestID] = []
    private var oldest = 0
    private let capacity: Int

    init(capacity: Int = Self.capacity) { self.capacity = capacity }

    subscript(request: RequestID) -> End? { ends[request] }

    mutating func record(_ end: End, of request: RequestID) {
        guard ends.updateValue(end, forKey: request) == nil else { return }
        guard order.count == capacity else { return order.append(request) }
        ends[order[oldest]] = nil
        order[oldest] = request
        oldest = (oldest + 1) % capacity
    }
}
