import NIOConcurrencyHelpers
import SharedProtocol
import Testing

@testable import auth_service

@Suite struct KeptTests {
    private let time = NIOLockedValueBox(Timestamp(1_000_000))
    private let fetches = NIOLockedValueBox(0)
    private let fails = NIOLockedValueBox(false)
    private let kept: Kept<Int>

    init() {
        kept = Kept(clock: { [time] in time.withLockedValue { $0 } }) {
            [fetches, fails] () async throws(LoginProblem) in
            await Task.yield()
            let number = fetches.withLockedValue { count in
                count += 1
                return count
            }
            if fails.withLockedValue({ $0 }) { throw LoginProblem(.providerUnavailable, "down") }
            return number
        }
    }

    private func pass(_ milliseconds: Int64) {
        time.withLockedValue { $0 = Timestamp($0.rawValue + milliseconds) }
    }

    @Test func itIsFetchedAgainWhenItIsOld() async throws {
        #expect(try await kept.value(youngerThan: .seconds(5)) == 1)
        pass(4_999)
        #expect(try await kept.value(youngerThan: .seconds(5)) == 1)
        pass(1)
        #expect(try await kept.value(youngerThan: .seconds(3600)) == 1)
        #expect(try await kept.value(youngerThan: .seconds(5)) == 2)
        pass(-1)
        #expect(try await kept.value(youngerThan: .seconds(5)) == 3)
    }

    @Test func manyWhoAskAtOnceWaitForOneFetch() async throws {
        let answers = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<50 { group.addTask { try await kept.value(youngerThan: .seconds(5)) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers == Array(repeating: 1, count: 50))
    }

    @Test func aFailureIsNotKept() async throws {
        fails.withLockedValue { $0 = true }
        await #expect(throws: LoginProblem.self) { try await kept.value(youngerThan: .seconds(5)) }
        fails.withLockedValue { $0 = false }
        #expect(try await kept.value(youngerThan: .seconds(5)) == 2)
    }
}
