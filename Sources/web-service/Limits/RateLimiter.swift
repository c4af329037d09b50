import NIOConcurrencyHelpers
import NIOCore
import SharedProtocol

/// The limits of requests per user, on the pages and on the API each; a refused request counts nowhere.
///
/// This process's own counters run along always. With Redis the decision is that of the counters there, which all webs
/// share, unless Redis cannot say in time; then it is that of the own ones.
final class RateLimiter: Sendable {
    /// Windows of this process's own counters.
    static let windowLimit = 100_000

    private struct Subject: Hashable {
        var user: UserID
        var surface: Ledger.Source
    }

    private let windows = NIOLockedValueBox(FixedWindows<Subject>(capacity: windowLimit))
    private let shared: SharedCounters?
    private let now: @Sendable () -> NIODeadline

    /// - Parameter shared: absent: every process counts for itself.
    init(shared: SharedCounters? = nil, now: @escaping @Sendable () -> NIODeadline = { .now() }) {
        self.shared = shared
        self.now = now
    }

    /// Counts a request against all limits, or against none when one of them is full. Does not suspend without Redis;
    /// takes 50 ms at most with it.
    ///
    /// - Parameter limits: at least one, none twice.
    func admit(_ user: UserID, _ surface: Ledger.Source, _ limits: [RateLimit]) async -> RateLimitStanding {
        let subject = Subject(user: user, surface: surface)
        guard let shared, let standing = await shared.admit(user, surface, limits) else {
            return windows.withLockedValue { [now = now()] in $0.admit(subject, limits, at: now) }
        }
        if !standing.isRefused {
            windows.withLockedValue { [now = now()] in _ = $0.count(subject, limits, at: now) }
        }
        return standing
    }

    /// Of Redis; zeros without it.
    var sharedCounts: SharedCounters.Counts { shared?.counts ?? SharedCounters.Counts() }
}
