import Testing

@testable import SharedProtocol

@Suite struct IdentifierTests {
    @Test func requestIDsOfOneTimeBeginAlikeAndAreDifferent() {
        let ids = Set((0..<1000).map { _ in RequestID.random(at: Timestamp(1_800_000_000_000)).rawValue })
        #expect(ids.count == 1000)
        #expect(Set(ids.map { $0.prefix(13) }) == ["req_bummfyuaa"])
        #expect(ids.allSatisfy { $0.count == 28 })
        #expect(RequestID.random(at: Timestamp(1_800_000_000_001)).rawValue.hasPrefix("req_bummfyuab"))
    }

    @Test func aClockBefore1970MakesRequestIDsToo() {
        #expect(RequestID.random(at: Timestamp(-1)).rawValue.hasPrefix("req_aaaaaaaaa"))
    }
}
