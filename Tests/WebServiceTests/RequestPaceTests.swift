import NIOCore
import Testing

@testable import web_service

/// Who sends too slowly, by a clock that the tests move.
@Suite struct RequestPaceTests {
    private let start = NIODeadline.now()

    @Test func aConnectionOnWhichNothingWasBegunIsNotSlow() {
        #expect(!RequestPace().isTooSlow(at: start + .hours(1)))
    }

    @Test func aHeadMustComeInTimeHoweverManyBytesTrickle() {
        var pace = RequestPace()
        for second in 0..<20 { pace.received(1, at: start + .seconds(Int64(second))) }
        #expect(!pace.isTooSlow(at: start + .seconds(20)))
        #expect(pace.isTooSlow(at: start + .seconds(21)))
    }

    @Test func aBodyMayTakeItsGraceAndThenMustKeepItsRate() {
        var pace = RequestPace()
        pace.received(100, at: start)
        pace.headCame(at: start)
        #expect(!pace.isTooSlow(at: start + .seconds(30)))
        #expect(pace.isTooSlow(at: start + .seconds(31)))
        pace.received(10 * RequestPace.bodyRate, at: start + .seconds(31))
        #expect(!pace.isTooSlow(at: start + .seconds(40)))
        #expect(pace.isTooSlow(at: start + .seconds(41)))
    }

    @Test func aRequestThatHasComeIsNotSlow() {
        var pace = RequestPace()
        pace.received(100, at: start)
        pace.headCame(at: start)
        pace.requestCame()
        #expect(!pace.isTooSlow(at: start + .hours(1)))
        pace.received(1, at: start + .hours(1))
        #expect(!pace.isTooSlow(at: start + .hours(1)))
        #expect(pace.isTooSlow(at: start + .hours(2)))
    }
}
