import NIOCore
import SharedProtocol

/// Counts of requests in windows that begin with their first request, per subject and limit.
struct FixedWindows<Subject: Hashable & Sendable>: Sendable {
    private struct Key: Hashable {
        var subject: Subject
        var limit: RateLimit
    }

    private struct Window {
        var ends: NIODeadline
        var count: Int
    }

    /// Windows that are kept at most.
    let capacity: Int
    private var windows: [Key: Window] = [:]

    init(capacity: Int) { self.capacity = capacity }

    /// Windows that are kept now, those that have ended included.
    var count: Int { windows.count }

    /// Counts a request against all limits, or against none when one of them is full.
    ///
    /// - Parameter limits: at least one, none twice.
    mutating func admit(_ subject: Subject, _ limits: [RateLimit], at now: NIODeadline) -> RateLimitStanding {
        let entries = entries(subject, limits, now)
        if entries.contains(where: { $0.window.count >= $0.key.limit.count }) { return Self.standing(entries, now) }
        return count(entries, now)
    }

    /// What a request would find; counts nothing.
    func standing(of subject: Subject, _ limits: [RateLimit], at now: NIODeadline) -> RateLimitStanding {
        Self.standing(entries(subject, limits, now), now)
    }

    /// Counts a request against all limits, full or not.
    @discardableResult
    mutating func count(_ subject: Subject, _ limits: [RateLimit], at now: NIODeadline) -> RateLimitStanding {
        count(entries(subject, limits, now), now)
    }

    private typealias Entry = (key: Key, window: Window)

    private func entries(_ subject: Subject, _ limits: [RateLimit], _ now: NIODeadline) -> [Entry] {
        limits.map { limit in
            let key = Key(subject: subject, limit: limit)
            if let running = windows[key], running.ends > now { return (key, running) }
            return (key, Window(ends: now + .seconds(Int64(limit.windowSeconds)), count: 0))
        }
    }

    private mutating func count(_ entries: [Entry], _ now: NIODeadline) -> RateLimitStanding {
        var entries = entries
        for index in entries.indices {
            entries[index].window.count += 1
            windows[entries[index].key] = entries[index].window
        }
        if windows.count > capacity { makeRoom(now) }
        return RateLimitStanding(admitted: entries.map { Self.state($0, now) })
    }

    private static func standing(_ entries: [Entry], _ now: NIODeadline) -> RateLimitStanding {
        RateLimitStanding(entries.map { state($0, now) })
    }

    private static func state(_ entry: Entry, _ now: NIODeadline) -> RateLimitStanding.Window {
        RateLimitStanding.Window(
            limit: entry.key.limit.count, count: entry.window.count,
            milliseconds: ((entry.window.ends - now).nanoseconds + 999_999) / 1_000_000)
    }

    /// Forgets the windows that have ended; if these are few, the half that ends first.
    private mutating func makeRoom(_ now: NIODeadline) {
        windows = windows.filter { $0.value.ends > now }
        guard windows.count > capacity / 2 else { return }
        let ends = windows.values.map(\.ends).sorted()[windows.count / 2]
        windows = windows.filter { $0.value.ends > ends }
    }
}

/// What a client may know of the limit that has least left.
struct RateLimitStanding: Sendable, Hashable {
    var limit: Int
    var remaining: Int
    /// Seconds until the window ends, rounded up.
    var resetSeconds: Int64
    /// At least one limit was full, and nothing was counted; the standing is that of the full window that ends last.
    var isRefused: Bool

    /// One limit's window at this moment.
    struct Window {
        var limit: Int
        var count: Int
        /// Until it ends.
        var milliseconds: Int64
    }

    /// Of a request that has not been counted.
    init(_ windows: [Window]) {
        let full = windows.filter { $0.limit <= $0.count }
        if let last = full.max(by: { $0.milliseconds < $1.milliseconds }) {
            self.init(last, isRefused: true)
        } else {
            self.init(admitted: windows)
        }
    }

    /// Of a request that has been counted.
    init(admitted windows: [Window]) {
        guard let tightest = windows.min(by: { $0.limit - $0.count < $1.limit - $1.count }) else {
            preconditionFailure("the configuration has at least one limit")
        }
        self.init(tightest, isRefused: false)
    }

    private init(_ window: Window, isRefused: Bool) {
        limit = window.limit
        remaining = max(0, window.limit - window.count)
        resetSeconds = max(1, (window.milliseconds + 999) / 1_000)
        self.isRefused = isRefused
    }
}
