import CCurl
import Glibc

extension HTTPResponseHead {
    /// Longer delays are taken for this one, in seconds: a day.
    static let longestRetryDelay = 86_400.0

    /// What `Retry-After` asks for (RFC 9110, section 10.2.3), in seconds or as a date; nil when it is absent or neither.
    public var retryDelay: Duration? {
        guard let retryAfter, let seconds = Double(retryAfter) ?? Self.secondsUntil(retryAfter), seconds >= 0
        else { return nil }
        return .seconds(min(seconds, Self.longestRetryDelay))
    }

    /// 0 for a date that has passed; nil when it is none.
    private static func secondsUntil(_ date: String) -> Double? {
        guard CurlThread.isLibraryLoaded else { return nil }
        let then = ccurl_getdate(date)
        return then < 0 ? nil : Double(max(0, then - time(nil)))
    }
}
