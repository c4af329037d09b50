import NIOCore
import Testing

@testable import router_service

@Suite struct HealthStateTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    @Test func twoBadProbesInARowTakeItOutAndOneGoodBringsItBack() {
        var health = HealthState()
        #expect(health.isUsable(at: start))
        health.probed(.bad, at: start)
        #expect(health.isUsable(at: start))
        health.probed(.good, at: start)
        health.probed(.bad, at: start)
        #expect(health.isUsable(at: start))
        health.probed(.bad, at: start)
        #expect(!health.isUsable(at: start + .hours(1)))
        health.probed(.good, at: start)
        #expect(health.isUsable(at: start))
    }

    @Test func threeFailuresInARowTakeItOutForASecond() {
        var health = HealthState()
        fail(&health, .connection, times: 2)
        health.succeeded()
        fail(&health, .connection, times: 2)
        #expect(health.isUsable(at: start))
        fail(&health, .connection, times: 1)
        #expect(!health.isUsable(at: start + .milliseconds(999)))
        #expect(health.isUsable(at: start + .seconds(1)))
    }

    @Test func afterItsTimeOneRequestTriesIt() {
        var health = HealthState()
        fail(&health, .replies, times: 3)
        let later = start + .seconds(1)
        #expect(health.admit(at: start, asLastResort: false) == nil)
        #expect(health.admit(at: later, asLastResort: false) == .trial(1))
        #expect(health.admit(at: later, asLastResort: false) == nil)
        #expect(health.admit(at: later, asLastResort: true) == nil)
        health.release(.trial(1))
        #expect(health.admit(at: later, asLastResort: false) == .trial(2))
        health.succeeded()
        #expect(health.admit(at: later, asLastResort: false) == .regular)
    }

    @Test func theTimeDoublesUpToEightSeconds() {
        var health = HealthState()
        var now = start
        fail(&health, .connection, times: 3)
        for (trial, seconds) in zip(1..., [Int64](arrayLiteral: 1, 2, 4, 8, 8)) {
            now = now + .seconds(seconds)
            #expect(!health.isUsable(at: now - .milliseconds(1)))
            #expect(health.admit(at: now, asLastResort: false) == .trial(trial))
            #expect(health.failed(.connection, .trial(trial), at: now) == true)
            health.release(.trial(trial))
        }
        now = now + .seconds(8)
        _ = health.admit(at: now, asLastResort: false)
        health.succeeded()
        fail(&health, .connection, times: 3, at: now)
        #expect(health.isUsable(at: now + .seconds(1)))
    }

    @Test func requestsFromBeforeDoNotProlongTheEjection() {
        var health = HealthState()
        fail(&health, .connection, times: 10)
        #expect(health.isUsable(at: start + .seconds(1)))
    }

    @Test func aGoodProbeEndsAnEjectionUnlessRepliesWereItsCause() {
        var connection = HealthState()
        fail(&connection, .connection, times: 3)
        connection.probed(.good, at: start)
        #expect(connection.isUsable(at: start))
        var replies = HealthState()
        fail(&replies, .replies, times: 3)
        replies.probed(.good, at: start)
        #expect(!replies.isUsable(at: start))
    }

    @Test func duringATrialOthersFailuresProlongNothing() {
        var health = HealthState()
        fail(&health, .connection, times: 3)
        let later = start + .seconds(1)
        #expect(health.admit(at: later, asLastResort: false) == .trial(1))
        #expect(health.failed(.connection, .regular, at: later) == false)
        health.release(.trial(1))
        #expect(health.isUsable(at: later))
    }

    @Test func aTrialThatOutlivedItsEjectionIsNotTheNextOnes() {
        var health = HealthState()
        fail(&health, .connection, times: 3)
        let later = start + .seconds(1)
        #expect(health.admit(at: later, asLastResort: false) == .trial(1))
        health.probed(.good, at: later)
        fail(&health, .connection, times: 1, at: later)
        let evenLater = later + .seconds(2)
        #expect(health.admit(at: evenLater, asLastResort: false) == .trial(2))
        #expect(health.failed(.connection, .trial(1), at: evenLater) == false)
        health.release(.trial(1))
        #expect(health.admit(at: evenLater, asLastResort: false) == nil)
    }

    @Test func whoHasNoListIsJudgedByRequestsAlone() {
        var passive = HealthState()
        fail(&passive, .connection, times: 3)
        passive.probed(.alive, at: start)
        #expect(!passive.isUsable(at: start))
        var active = HealthState()
        active.probed(.bad, at: start)
        active.probed(.alive, at: start)
        active.probed(.bad, at: start)
        #expect(active.isUsable(at: start))
        active.probed(.bad, at: start)
        #expect(!active.isUsable(at: start))
        active.probed(.alive, at: start)
        #expect(active.isUsable(at: start))
    }

    @Test func backByAProbeOneMoreFailureIsEnoughAndTheTimeGrows() {
        var health = HealthState()
        fail(&health, .connection, times: 3)
        health.probed(.good, at: start)
        #expect(health.failed(.connection, .regular, at: start) == true)
        #expect(!health.isUsable(at: start + .milliseconds(1999)))
        #expect(health.isUsable(at: start + .seconds(2)))
    }

    @Test func asLastResortOneRequestMayTryWhatIsOut() {
        var health = HealthState()
        health.probed(.bad, at: start)
        health.probed(.bad, at: start)
        #expect(health.admit(at: start, asLastResort: false) == nil)
        #expect(health.admit(at: start, asLastResort: true) == .trial(1))
        #expect(health.admit(at: start, asLastResort: true) == nil)
        #expect(health.failed(.connection, .trial(1), at: start) == false)
        #expect(!health.isUsable(at: start + .hours(1)))
        health.succeeded()
        #expect(health.isUsable(at: start))
    }

    private func fail(_ health: inout HealthState, _ cause: HealthState.Cause, times: Int, at now: NIODeadline? = nil) {
        for _ in 0..<times { _ = health.failed(cause, .regular, at: now ?? start) }
    }
}
