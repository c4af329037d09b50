/// The time-outs of one transfer, in nanoseconds of the monotonic clock. Connecting is timed by libcurl.
struct TransferClock {
    private(set) var hasFirstByte = false
    private var firstByteDeadline: UInt64 = .max
    private var idleTime: UInt64 = .max
    private var totalDeadline: UInt64 = .max
    private var lastByte: UInt64 = 0
    private var isPaused = false

    init() {}

    init(_ timeouts: HTTPTimeouts, start: UInt64) {
        firstByteDeadline = start + Self.nanoseconds(timeouts.firstByte)
        idleTime = Self.nanoseconds(timeouts.idle)
        totalDeadline = start + Self.nanoseconds(timeouts.total)
    }

    mutating func received(at now: UInt64) {
        hasFirstByte = true
        lastByte = now
    }

    /// The reader is slow: that is not the backend's fault.
    mutating func paused() { isPaused = true }

    mutating func resumed(at now: UInt64) {
        isPaused = false
        lastByte = now
    }

    mutating func endsAt(_ deadline: UInt64) {
        isPaused = false
        totalDeadline = min(totalDeadline, deadline)
    }

    func overduePhase(_ now: UInt64) -> HTTPClientError.Phase? {
        if now >= totalDeadline { return .total }
        if !hasFirstByte { return now >= firstByteDeadline ? .firstByte : nil }
        return !isPaused && now >= lastByte + idleTime ? .idle : nil
    }

    /// At most a year, so that no sum overflows.
    private static func nanoseconds(_ duration: Duration) -> UInt64 {
        let bounded = min(max(duration, .zero), .seconds(365 * 86_400))
        return UInt64(bounded.components.seconds) * 1_000_000_000
            + UInt64(bounded.components.attoseconds / 1_000_000_000)
    }
}
