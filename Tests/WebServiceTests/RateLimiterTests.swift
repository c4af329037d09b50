import NIOConcurrencyHelpers
import NIOCore
import SharedProtocol
import Testing

@testable import web_service

@Suite struct RateLimiterTests {
    private let clock = NIOLockedValueBox(NIODeadline.uptimeNanoseconds(1_000_000_000))
    private var limiter: RateLimiter { RateLimiter { [clock] in clock.withLockedValue { $0 } } }
    private let minute = RateLimit(count: 3, windowSeconds: 60)
    private let user = UserID(1)

    @Test func theWindowBeginsWithTheFirstRequestAndEndsOnTime() async {
        let limiter = limiter
        for left in [2, 1, 0] { #expect(await limiter.admit(user, .api, [minute]).remaining == left) }
        advance(.milliseconds(30_500))
        let refused = await limiter.admit(user, .api, [minute])
        #expect(refused.isRefused)
        #expect(refused.resetSeconds == 30)
        advance(.milliseconds(29_499))
        #expect(await limiter.admit(user, .api, [minute]).isRefused)
        advance(.milliseconds(2))
        #expect(await limiter.admit(user, .api, [minute]).remaining == 2)
    }

    @Test func aRequestThatOneLimitRefusesCountsInNone() async {
        let limiter = limiter
        let limits = [RateLimit(count: 1, windowSeconds: 1), RateLimit(count: 2, windowSeconds: 60)]
        #expect(await !limiter.admit(user, .api, limits).isRefused)
        for _ in 0..<5 { #expect(await limiter.admit(user, .api, limits).isRefused) }
        advance(.milliseconds(1001))
        #expect(await !limiter.admit(user, .api, limits).isRefused)
        advance(.milliseconds(1001))
        #expect(await limiter.admit(user, .api, limits).resetSeconds == 58)
    }

    @Test func usersAndSurfacesAreApart() async {
        let limiter = limiter
        let one = [RateLimit(count: 1, windowSeconds: 60)]
        #expect(await !limiter.admit(user, .api, one).isRefused)
        #expect(await !limiter.admit(user, .chat, one).isRefused)
        #expect(await !limiter.admit(UserID(2), .api, one).isRefused)
        #expect(await limiter.admit(user, .api, one).isRefused)
    }

    @Test func theTightestLimitIsShown() async {
        let limits = [RateLimit(count: 100, windowSeconds: 1), RateLimit(count: 5, windowSeconds: 60)]
        let standing = await limiter.admit(user, .api, limits)
        #expect(standing.limit == 5)
        #expect(standing.remaining == 4)
    }

    private func advance(_ time: TimeAmount) { clock.withLockedValue { $0 = $0 + time } }
}
