import NIOConcurrencyHelpers
import NIOCore
import SharedProtocol

/// Fixed windows per (user, surface, limit) in this process. A window begins with its first request; a refused request
/// counts nowhere.
final class RateLimiter: Sendable {
    /// Windows that are kept; when there are more, those that have ended are dropped.
    static let windowLimit = 100_000

    private struct Key: Hashable {
        var user: UserID
        var surface: Ledger.Source
        var limit: RateLimit
    }

    private struct Window {
        var ends: NIODeadline
        var count: Int
    }

    /// What a client may know of the limit that has least left.
    struct Standing: Sendable, Hashable {
        var limit: Int
        var remaining: Int
        /// Seconds until the window ends, rounded up.
        var resetSeconds: Int64
        /// At least one limit was full, and nothing was counted; the standing is that of the full window that ends last.
        var isRefused: Bool
    }

    private let windows = NIOLockedValueBox<[Key: Window]>([:])
    private let now: @Sendable () -> NIODeadline

    init(now: @escaping @Sendable () -> NIODeadline = { .now() }) { self.now = now }

    /// Counts a request against all limits, or against none when one of them is full.
    ///
    /// - Parameter limits: at least one.
    func admit(_ user: UserID, _ surface: Ledger.Source, _ limits: [RateLimit]) -> Standing {
        let now = now()
        return windows.withLockedValue { windows in
            if windows.count > Self.windowLimit { windows = windows.filter { $0.value.ends > now } }
            var current = limits.map { limit in
                let key = Key(user: user, surface: surface, limit: limit)
                let running = windows[key].flatMap { $0.ends > now ? $0 : nil }
                return (key, running ?? Window(ends: now + .seconds(Int64(limit.windowSeconds)), count: 0))
            }
            let full = current.filter { $0.0.limit.count <= $0.1.count }
            if let last = full.max(by: { $0.1.ends < $1.1.ends }) {
                return Self.standing(last.0, last.1, now, isRefused: true)
            }
            for index in current.indices {
                current[index].1.count += 1
                windows[current[index].0] = current[index].1
            }
            guard let tightest = current.min(by: { Self.left($0) < Self.left($1) }) else {
                preconditionFailure("the configuration has at least one limit")
            }
            return Self.standing(tightest.0, tightest.1, now, isRefused: false)
        }
    }

    private static func left(_ entry: (Key, Window)) -> Int { entry.0.limit.count - entry.1.count }

    private static func standing(
        _ key: Key, _ window: Window, _ now: NIODeadline, isRefused: Bool
    ) -> Standing {
        Standing(
            limit: key.limit.count, remaining: key.limit.count - window.count,
            resetSeconds: ((window.ends - now).nanoseconds + 999_999_999) / 1_000_000_000, isRefused: isRefused)
    }
}
