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
        for second in 0..<20 { pace.received(Self.bytes(1), at: start + .seconds(Int64(second))) }
        #expect(!pace.isTooSlow(at: start + .seconds(20)))
        #expect(pace.isTooSlow(at: start + .seconds(21)))
    }

    @Test func aBodyMayTakeItsGraceAndThenMustKeepItsRate() {
        var pace = RequestPace()
        pace.received(Self.bytes(100), at: start)
        pace.headCame(at: start)
        #expect(!pace.isTooSlow(at: start + .seconds(30)))
        #expect(pace.isTooSlow(at: start + .seconds(31)))
        pace.received(Self.bytes(10 * RequestPace.bodyRate), at: start + .seconds(31))
        #expect(!pace.isTooSlow(at: start + .seconds(40)))
        #expect(pace.isTooSlow(at: start + .seconds(41)))
    }

    @Test func theNextRequestIsNotHurriedBeforeTheAnswerToThisOne() {
        var pace = RequestPace()
        pace.received(Self.bytes(100), at: start)
        pace.headCame(at: start)
        pace.requestCame(isAnswered: false)
        #expect(!pace.isTooSlow(at: start + .hours(1)))
        pace.received(Self.bytes(1), at: start + .hours(1))
        #expect(!pace.isTooSlow(at: start + .hours(2)))
        pace.answered(at: start + .hours(2))
        #expect(!pace.isTooSlow(at: start + .hours(2) + .seconds(20)))
        #expect(pace.isTooSlow(at: start + .hours(2) + .seconds(21)))
    }

    @Test func norIsItsBody() {
        var pace = RequestPace()
        pace.headCame(at: start)
        pace.requestCame(isAnswered: false)
        pace.headCame(at: start)
        #expect(!pace.isTooSlow(at: start + .hours(1)))
        pace.answered(at: start + .hours(1))
        #expect(!pace.isTooSlow(at: start + .hours(1) + .seconds(30)))
        #expect(pace.isTooSlow(at: start + .hours(1) + .seconds(31)))
    }

    @Test func aRequestMayBeAnsweredBeforeItsEnd() {
        var pace = RequestPace()
        pace.headCame(at: start)
        pace.answered(at: start)
        pace.requestCame(isAnswered: true)
        pace.received(Self.bytes(1), at: start)
        #expect(pace.isTooSlow(at: start + .seconds(21)))
    }

    @Test func anEmptyLineBeginsNothing() {
        var pace = RequestPace()
        pace.received(ByteBuffer(string: "\r\n"), at: start)
        #expect(!pace.isTooSlow(at: start + .hours(1)))
    }

    private static func bytes(_ count: Int) -> ByteBuffer { ByteBuffer(repeating: UInt8(ascii: "x"), count: count) }
}
