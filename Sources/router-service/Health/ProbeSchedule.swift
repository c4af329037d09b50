import NIOCore

/// When one endpoint is probed next.
struct ProbeSchedule {
    static let interval = TimeAmount.seconds(30)
    /// Of the interval, either way, at random: many routers must not probe in step.
    static let jitter = TimeAmount.seconds(3)
    /// While it is out.
    static let hurriedInterval = TimeAmount.seconds(3)
    /// After a bad probe that did not take it out: a second one does.
    static let doubtInterval = TimeAmount.seconds(1)

    /// A new endpoint is probed at once.
    private var next = NIODeadline.uptimeNanoseconds(0)
    private var isRunning = false

    /// Whether it is time; if so, the probe is under way from now on.
    mutating func begin(at now: NIODeadline) -> Bool {
        if isRunning || now < next { return false }
        isRunning = true
        return true
    }

    mutating func ended(isGood: Bool, isOut: Bool, at now: NIODeadline) {
        isRunning = false
        if isOut {
            next = now + Self.hurriedInterval
        } else if !isGood {
            next = now + Self.doubtInterval
        } else {
            next = now + Self.interval + .nanoseconds(.random(in: -Self.jitter.nanoseconds...Self.jitter.nanoseconds))
        }
    }

    mutating func probeAtOnce() { next = .uptimeNanoseconds(0) }

    /// The endpoint has gone out: it is to be probed as often as one that is.
    mutating func hurry(at now: NIODeadline) { next = min(next, now + Self.hurriedInterval) }
}
