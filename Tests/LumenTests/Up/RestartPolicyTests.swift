import NIOCore
import Testing

@testable import lumen

private func time(_ seconds: Int64) -> NIODeadline { .uptimeNanoseconds(1_000_000_000_000) + .seconds(seconds) }

@Test func deathsInARowArePunishedMoreAndMore() {
    var policy = RestartPolicy()
    let delays: [TimeAmount] = [
        .zero, .milliseconds(500), .seconds(1), .seconds(2), .seconds(4), .seconds(8), .seconds(16), .seconds(30),
        .seconds(30),
    ]
    for delay in delays { #expect(policy.died(.signal(9), at: time(0)) == .restart(after: delay)) }
    #expect(policy.died(.signal(9), at: time(0)) == .giveUp(.diesTooOften))
}

@Test func deathsOlderThanFiveMinutesAreForgotten() {
    var policy = RestartPolicy()
    #expect(policy.died(.status(1), at: time(0)) == .restart(after: .zero))
    #expect(policy.died(.status(1), at: time(299)) == .restart(after: .milliseconds(500)))
    #expect(policy.died(.status(1), at: time(300)) == .restart(after: .milliseconds(500)))
    #expect(policy.died(.status(1), at: time(601)) == .restart(after: .zero))
}

@Test func aChildThatDiesNowAndThenIsNeverGivenUp() {
    var policy = RestartPolicy()
    for death in 0..<100 {
        let decision = policy.died(.signal(9), at: time(Int64(death) * 34))
        #expect(decision != .giveUp(.diesTooOften), "death \(death)")
    }
}

@Test func aBadConfigurationAtStartEndsEverything() {
    var policy = RestartPolicy()
    #expect(policy.died(.signal(9), at: time(0)) == .restart(after: .zero))
    #expect(policy.died(.status(78), at: time(1)) == .giveUp(.badConfiguration))
}

@Test func aBadConfigurationLaterIsADeathLikeAnother() {
    var policy = RestartPolicy()
    policy.becameReady()
    #expect(policy.died(.status(78), at: time(0)) == .restart(after: .zero))
    #expect(policy.died(.status(78), at: time(0)) == .restart(after: .milliseconds(500)))
}

@Test func waitStatusesAreTold() {
    #expect(ChildExit(waitStatus: 0) == .status(0))
    #expect(ChildExit(waitStatus: 78 << 8) == .status(78))
    #expect(ChildExit(waitStatus: 9) == .signal(9))
    #expect(ChildExit(waitStatus: 6 | 0x80) == .signal(6))
}
