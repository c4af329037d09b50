import NIOConcurrencyHelpers
import NIOCore
import RedisClient
import SharedProtocol
import Testing

@testable import web_service

/// Limits that several webs share in a real Redis, and what happens without it.
@Suite(.enabled(if: TemporaryRedis.isInstalled)) struct SharedLimitTests {
    private let user = UserID(7)
    private let three = [RateLimit(count: 3, windowSeconds: 3_600)]

    @Test func twoWebsShareALimitExactly() async throws {
        let redis = try await TemporaryRedis()
        defer { redis.stop() }
        let webs = [
            RateLimiter(shared: try await redis.counters()), RateLimiter(shared: try await redis.counters()),
        ]
        let limits = [RateLimit(count: 30, windowSeconds: 60)]
        let admitted = await withTaskGroup(of: Bool.self) { group in
            for index in 0..<400 {
                group.addTask { await !webs[index % 2].admit(user, .api, limits).isRefused }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(admitted == 30)
        #expect(webs.map { $0.sharedCounts.decided }.reduce(0, +) == 400)
        #expect(try redis.ask("GET", "lumen:{7.api}:30/60") == "30")
    }

    @Test func aRequestThatOneLimitRefusesCountsInNone() async throws {
        let redis = try await TemporaryRedis()
        defer { redis.stop() }
        let web = RateLimiter(shared: try await redis.counters())
        let limits = [RateLimit(count: 1, windowSeconds: 3_600), RateLimit(count: 9, windowSeconds: 86_400)]
        let first = await web.admit(user, .api, limits)
        #expect(first == RateLimitStanding(admitted: [.init(limit: 1, count: 1, milliseconds: 3_600_000)]))
        for _ in 0..<3 {
            let refused = await web.admit(user, .api, limits)
            #expect(refused.isRefused)
            #expect(refused.limit == 1)
            #expect((3_500...3_600).contains(refused.resetSeconds))
        }
        #expect(try redis.ask("GET", "lumen:{7.api}:9/86400") == "1")
        let other = await web.admit(user, .chat, limits)
        #expect(!other.isRefused)
    }

    @Test func theWindowEndsWhenItSays() async throws {
        let redis = try await TemporaryRedis()
        defer { redis.stop() }
        let web = RateLimiter(shared: try await redis.counters())
        let limits = [RateLimit(count: 1, windowSeconds: 1)]
        _ = await web.admit(user, .api, limits)
        let refused = await web.admit(user, .api, limits)
        try await Task.sleep(for: .seconds(refused.resetSeconds))
        let next = await web.admit(user, .api, limits)
        #expect(!next.isRefused)
        #expect(next.remaining == 0)
    }

    @Test func scriptsThatAreForgottenAreLoadedAgain() async throws {
        let redis = try await TemporaryRedis()
        defer { redis.stop() }
        let web = RateLimiter(shared: try await redis.counters())
        for left in [2, 1, 0] {
            let standing = await web.admit(user, .api, three)
            #expect(standing.remaining == left)
            try redis.ask("SCRIPT", "FLUSH")
        }
        #expect(web.sharedCounts == counts(decided: 3))
    }

    /// What Redis admitted is counted here, too, and Redis is used again by itself.
    @Test func aRestartIsBridged() async throws {
        let redis = try await TemporaryRedis()
        defer { redis.stop() }
        let web = RateLimiter(shared: try await redis.counters())
        _ = await web.admit(user, .api, three)
        redis.stop()
        try await until {
            _ = await web.admit(UserID(8), .api, three)
            return web.sharedCounts.failed > 0
        }
        let second = await web.admit(user, .api, three)
        #expect(second.remaining == 1)
        #expect(web.sharedCounts.outages == 1)
        try await redis.start()
        let decided = web.sharedCounts.decided
        try await until {
            _ = await web.admit(UserID(9), .api, three)
            return web.sharedCounts.decided > decided
        }
        // Redis has forgotten its counts; until the window is over, this process knows better.
        let third = await web.admit(user, .api, three)
        #expect(third.remaining == 0)
        let fourth = await web.admit(user, .api, three)
        #expect(fourth.isRefused)
        #expect(web.sharedCounts.outages == 1)
    }

    @Test func aSilentRedisIsLeftAloneAndThenUsedAgain() async throws {
        let redis = try await TemporaryRedis()
        defer { redis.stop() }
        let web = RateLimiter(shared: try await redis.counters(answerLimit: RedisClient.answerLimit))
        redis.suspend()
        for left in [2, 1, 0] {
            let standing = await web.admit(user, .api, three)
            #expect(standing.remaining == left)
        }
        let refused = await web.admit(user, .api, three)
        #expect(refused.isRefused)
        #expect(web.sharedCounts.timedOut >= 3)
        #expect(web.sharedCounts.outages == 1)
        redis.resume()
        try await until {
            _ = await web.admit(UserID(8), .api, three)
            return web.sharedCounts.decided > 0
        }
        let still = await web.admit(user, .api, three)
        #expect(still.isRefused, "what was admitted without Redis counts on")
        #expect(web.sharedCounts.outages == 1)
    }

    /// Longer than `silenceLimit`: the connection is given up, and no request waits for the next.
    @Test func aConnectionThatOwesAnAnswerTooLongIsGivenUp() async throws {
        let redis = try await TemporaryRedis()
        defer { redis.stop() }
        let client = try RedisClient(to: .unix(path: redis.socket), script: SharedCounters.script)
        try await until { client.isReady }
        redis.suspend()
        await #expect(throws: RedisError.timedOut) { try await client.run(keys: ["a"], arguments: [1, 1_000]) }
        try await until { !client.isReady }
        await #expect(throws: RedisError.away("it does not answer")) {
            try await client.run(keys: ["a"], arguments: [1, 1_000])
        }
        redis.resume()
        try await until { client.isReady }
        await client.close()
        await #expect(throws: RedisError.self) { try await client.run(keys: ["a"], arguments: [1, 1_000]) }
    }

    @Test func aPasswordAndADatabaseAreUsed() async throws {
        let redis = try await TemporaryRedis("--requirepass", "hunter2")
        defer { redis.stop() }
        let place = HostAndPort(host: "127.0.0.1", port: redis.port)
        let address = RedisAddress.tcp(place, password: Secret("hunter2"), database: 3)
        let web = RateLimiter(shared: try await redis.counters(at: address))
        _ = await web.admit(user, .api, three)
        #expect(web.sharedCounts == counts(decided: 1))
        #expect(try redis.ask("-a", "hunter2", "-n", "3", "DBSIZE") == "1")
    }

    @Test(arguments: [Secret("wrong"), nil])
    func aWrongPasswordMeansOwnCounters(_ password: Secret?) async throws {
        let redis = try await TemporaryRedis("--requirepass", "hunter2")
        defer { redis.stop() }
        let place = HostAndPort(host: "127.0.0.1", port: redis.port)
        let address = RedisAddress.tcp(place, password: password, database: 0)
        let client = try RedisClient(to: address, script: SharedCounters.script)
        try await until {
            do throws(RedisError) {
                _ = try await client.run(keys: ["a"], arguments: [1, 1_000])
                return true
            } catch {
                return error.description.hasPrefix(password == nil ? "NOAUTH" : "WRONGPASS")
            }
        }
        let web = RateLimiter(shared: SharedCounters(client))
        let standing = await web.admit(user, .api, three)
        #expect(standing.remaining == 2)
        #expect(web.sharedCounts == counts(failed: 1, outages: 1))
    }

    @Test func aFullRedisMeansOwnCounters() async throws {
        let redis = try await TemporaryRedis("--maxmemory", "500kb", "--maxmemory-policy", "noeviction")
        defer { redis.stop() }
        let web = RateLimiter(shared: try await redis.counters())
        for left in [2, 1, 0] {
            let standing = await web.admit(user, .api, three)
            #expect(standing.remaining == left)
        }
        let refused = await web.admit(user, .api, three)
        #expect(refused.isRefused)
        #expect(web.sharedCounts == counts(failed: 3, skipped: 1, outages: 1))
    }

    @Test func withoutAServerNobodyWaits() async throws {
        let address = RedisAddress.unix(path: "/nowhere/redis.sock")
        let client = try RedisClient(to: address, script: SharedCounters.script)
        let web = RateLimiter(shared: SharedCounters(client))
        try await until {
            _ = await web.admit(UserID(8), .api, three)
            return web.sharedCounts.outages == 1
        }
        let standing = await web.admit(user, .api, three)
        #expect(standing.remaining == 2)
    }

    private func counts(
        decided: Int = 0, failed: Int = 0, skipped: Int = 0, outages: Int = 0
    ) -> SharedCounters.Counts {
        SharedCounters.Counts(
            decided: decided, failed: failed, skipped: skipped, outages: outages)
    }
}
