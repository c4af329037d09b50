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
    /// What a probe said a moment ago is still true: silent requests, of which there may be many, ask for no other.
    static let freshness = TimeAmount.seconds(1)

    /// A new endpoint is probed at once.
    private var next = NIODeadline.uptimeNanoseconds(0)
    private var isRunning = false
    private var lastEnd = NIODeadline.uptimeNanoseconds(0)

    /// Whether it is time; if so, the probe is under way from now on.
    mutating func begin(at now: NIODeadline) -> Bool {
        if isRunning || now < next { return false }
        isRunning = true
        return true
    }

    mutating func ended(isGood: Bool, isOut: Bool, at now: NIODeadline) {
        isRunning = false
        lastEnd = now
        if isOut {
            next = now + Self.hurriedInterval
        } else if !isGood {
            next = now + Self.doubtInterval
        } else {
            next = now + Self.interval + .nanoseconds(.random(in: -Self.jitter.nanoseconds...Self.jitter.nanoseconds))
        }
    }

    mutating func probeAtOnce() { next = .uptimeNanoseconds(0) }

    /// Requests wait for an answer: at once, unless the last probe has only just ended.
    mutating func probeForSilence() { next = min(next, lastEnd + Self.freshness) }

    /// The endpoint has gone out: it is to be probed as often as one that is.
    mutating func hurry(at now: NIODeadline) { next = min(next, now + Self.hurriedInterval) }
}
