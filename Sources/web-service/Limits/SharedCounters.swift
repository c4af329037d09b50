import Logging
import NIOConcurrencyHelpers
import NIOCore
import RedisClient
import SharedProtocol

/// The rate limits' counters in Redis, shared by all webs: one script a request, which counts against all limits or none.
final class SharedCounters: Sendable {
    /// So many time-outs or errors in a row, and Redis is left alone for a while; then one request at a time tries.
    static let failureLimit = 3
    static let rest = TimeAmount.seconds(1)

    /// Since the process began.
    struct Counts: Sendable, Hashable {
        /// Requests that Redis decided.
        var decided = 0
        /// Requests that this process decided because Redis did not answer in time.
        var timedOut = 0
        /// Because it was away, overloaded, or answered with an error.
        var failed = 0
        /// Because it was being left alone.
        var skipped = 0
        var outages = 0
    }

    fileprivate struct State {
        var counts = Counts()
        /// In a row.
        var failures = 0
        var restsUntil = NIODeadline.uptimeNanoseconds(0)
        /// One request tries whether Redis is back.
        var isTrying = false
        /// It has been logged that Redis is out of order.
        var isOut = false
    }

    private let redis: RedisClient
    private let state = NIOLockedValueBox(State())
    private let log: Logger

    init(_ redis: RedisClient, logger: Logger = Logger(label: "limits")) {
        self.redis = redis
        log = logger
    }

    /// Starts the thread that speaks to Redis; whether Redis is there shows with the first request.
    convenience init(at address: RedisAddress) throws(RedisError) {
        self.init(try RedisClient(to: address, script: Self.script))
    }

    var counts: Counts { state.withLockedValue(\.counts) }

    /// Nil: Redis did not say, and the caller decides. Takes 50 ms at most.
    ///
    /// - Parameter limits: at least one, none twice.
    func admit(_ user: UserID, _ surface: Ledger.Source, _ limits: [RateLimit]) async -> RateLimitStanding? {
        guard state.withLockedValue({ $0.mayAsk(.now()) }) else { return nil }
        let subject = "lumen:{\(user).\(surface.rawValue)}:"
        do throws(RedisError) {
            let answer = try await redis.run(
                keys: limits.map { "\(subject)\($0.count)/\($0.windowSeconds)" },
                arguments: limits.flatMap { [$0.count, $0.windowSeconds * 1_000] })
            guard answer.count == 1 + 2 * limits.count else { throw .refused("it answers with something else") }
            if state.withLockedValue({ $0.answered() }) { log.notice("Redis is back: rate limits are shared again.") }
            return Self.standing(answer, limits)
        } catch {
            if state.withLockedValue({ $0.failed(error, .now()) }) {
                log.warning(
                    "Redis is out of order: each web counts rate limits for itself.",
                    metadata: ["reason": "\(error)"])
            }
            return nil
        }
    }

    private static func standing(_ answer: [Int], _ limits: [RateLimit]) -> RateLimitStanding {
        let windows = limits.indices.map { index in
            RateLimitStanding.Window(
                limit: limits[index].count, count: answer[1 + 2 * index], milliseconds: Int64(answer[2 + 2 * index]))
        }
        return answer[0] == 1 ? RateLimitStanding(admitted: windows) : RateLimitStanding(windows)
    }

    /// Of each key: its limit and its window in milliseconds. Answers with 1 when the request was counted, else 0, and of
    /// each key with its count and the milliseconds to its window's end.
    static let script = """
        local answer, counted = {1}, {}
        for i, key in ipairs(KEYS) do
            local limit, window = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
            local count, left = tonumber(redis.call('GET', key) or 0), redis.call('PTTL', key)
            -- Redis keeps a key for the millisecond in which its time is over.
            if left <= 0 then count, left = 0, window end
            if count >= limit then answer[1] = 0 end
            answer[2 * i], answer[2 * i + 1] = count, left
        end
        if answer[1] == 0 then return answer end
        for i, key in ipairs(KEYS) do
            if answer[2 * i] == 0 then
                redis.call('SET', key, 1, 'PX', ARGV[2 * i])
            else
                redis.call('INCR', key)
            end
            answer[2 * i] = answer[2 * i] + 1
        end
        return answer
        """
}

extension SharedCounters.State {
    fileprivate mutating func mayAsk(_ now: NIODeadline) -> Bool {
        if failures >= SharedCounters.failureLimit {
            if now < restsUntil || isTrying {
                counts.skipped += 1
                return false
            }
            isTrying = true
        }
        return true
    }

    /// - Returns: whether that ends an outage.
    fileprivate mutating func answered() -> Bool {
        counts.decided += 1
        failures = 0
        isTrying = false
        defer { isOut = false }
        return isOut
    }

    /// - Returns: whether an outage begins.
    fileprivate mutating func failed(_ error: RedisError, _ now: NIODeadline) -> Bool {
        isTrying = false
        if error == .timedOut { counts.timedOut += 1 } else { counts.failed += 1 }
        // The first connection is still being made: that is no outage, and no wait either.
        if error == .away(nil) { return false }
        // Without a connection nobody waits, and it is made again without the requests' help.
        if case .away = error {
        } else {
            failures += 1
            guard failures >= SharedCounters.failureLimit else { return false }
            restsUntil = now + SharedCounters.rest
        }
        if isOut { return false }
        isOut = true
        counts.outages += 1
        return true
    }
}
