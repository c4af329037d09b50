import NIOConcurrencyHelpers
import NIOCore
import SharedProtocol

/// The limits of requests per user, on the pages and on the API each; a refused request counts nowhere.
///
/// This process's own counters run along always. With Redis the decision is that of the counters there, which all webs
/// share, unless Redis cannot say in time; then it is that of the own ones. Redis knows nothing of what these admitted: until
/// those windows are over, both must admit a request.
final class RateLimiter: Sendable {
    /// Windows of this process's own counters.
    static let windowLimit = 100_000

    private struct Subject: Hashable {
        var user: UserID
        var surface: Ledger.Source
    }

    private let windows = NIOLockedValueBox(FixedWindows<Subject>(capacity: windowLimit))
    private let shared: SharedCounters?
    /// Until then the own counters hold requests that Redis does not know of.
    private let aloneUntil = NIOLockedValueBox(NIODeadline.uptimeNanoseconds(0))
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
        guard let shared else { return admitAlone(subject, limits) }
        guard let standing = await shared.admit(user, surface, limits) else {
            let longest = limits.map(\.windowSeconds).max() ?? 0
            aloneUntil.withLockedValue { $0 = now() + .seconds(Int64(longest)) }
            return admitAlone(subject, limits)
        }
        if standing.isRefused { return standing }
        if now() < aloneUntil.withLockedValue({ $0 }) {
            let own = admitAlone(subject, limits)
            return own.isRefused || own.remaining < standing.remaining ? own : standing
        }
        windows.withLockedValue { [now = now()] in _ = $0.count(subject, limits, at: now) }
        return standing
    }

    private func admitAlone(_ subject: Subject, _ limits: [RateLimit]) -> RateLimitStanding {
        windows.withLockedValue { [now = now()] in $0.admit(subject, limits, at: now) }
    }

    /// Of Redis; zeros without it.
    var sharedCounts: SharedCounters.Counts { shared?.counts ?? SharedCounters.Counts() }
}
