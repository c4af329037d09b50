import NIOCore
import Testing

@testable import router_service

@Suite struct ProbeScheduleTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    @Test func aNewEndpointIsProbedAtOnceAndOnceAtATime() {
        var schedule = ProbeSchedule()
        #expect(schedule.begin(at: start) == true)
        #expect(schedule.begin(at: start + .hours(1)) == false)
    }

    @Test func healthyOnesAreProbedEveryThirtySecondsOutOfStep() {
        var due: Set<Int> = []
        for _ in 0..<50 {
            var schedule = afterProbe(isGood: true, isOut: false)
            let first = (0...60).first { schedule.begin(at: start + .seconds(Int64($0))) }
            due.insert(first ?? 0)
        }
        #expect(due.isSubset(of: 27...33))
        #expect(due.count > 1)
    }

    @Test func onesThatAreOutAreProbedEveryThreeSeconds() {
        for isGood in [false, true] {
            var schedule = afterProbe(isGood: isGood, isOut: true)
            #expect(schedule.begin(at: start + .milliseconds(2999)) == false)
            #expect(schedule.begin(at: start + .seconds(3)) == true)
        }
        var schedule = afterProbe(isGood: true, isOut: false)
        schedule.hurry(at: start + .seconds(1))
        #expect(schedule.begin(at: start + .milliseconds(3999)) == false)
        #expect(schedule.begin(at: start + .seconds(4)) == true)
    }

    @Test func aBadProbeIsSoonFollowedByAnother() {
        var schedule = afterProbe(isGood: false, isOut: false)
        #expect(schedule.begin(at: start + .milliseconds(999)) == false)
        #expect(schedule.begin(at: start + .seconds(1)) == true)
    }

    @Test func silenceIsLookedIntoAtOnceButNotTwiceWithinASecond() {
        var schedule = afterProbe(isGood: true, isOut: false)
        schedule.probeForSilence()
        #expect(schedule.begin(at: start + .milliseconds(999)) == false)
        #expect(schedule.begin(at: start + .seconds(1)) == true)
    }

    private func afterProbe(isGood: Bool, isOut: Bool) -> ProbeSchedule {
        var schedule = ProbeSchedule()
        _ = schedule.begin(at: start)
        schedule.ended(isGood: isGood, isOut: isOut, at: start)
        return schedule
    }
}
