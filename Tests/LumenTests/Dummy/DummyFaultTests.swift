import NIOCore
import SharedProtocol
import Testing

@testable import lumen

@Test func errorsHaveTheStatusOfTheirName() async throws {
    try await DummyFixture.with { dummy in
        let failed = try await dummy.response(DummyFixture.chatBody("error-503"))
        #expect(failed.hasPrefix("HTTP/1.1 503"))
        let limited = try await dummy.response(DummyFixture.chatBody("rate-limited-7"))
        #expect(limited.hasPrefix("HTTP/1.1 429"))
        #expect(limited.contains("Retry-After: 7\r\n"))
        let unknown = try await dummy.response(DummyFixture.chatBody("nope"))
        #expect(unknown.hasPrefix("HTTP/1.1 404"))
        let broken = try await dummy.response("{]")
        #expect(broken.hasPrefix("HTTP/1.1 400"))
    }
}

@Test func noUsageIsReportedNowhere() async throws {
    try await DummyFixture.with { dummy in
        #expect(try await dummy.chat("no-usage").usage == nil)
        let events = try await dummy.events("no-usage", #","stream_options":{"include_usage":true}"#)
        #expect(events.allSatisfy { !$0.contains(#""usage":"#) })
    }
}

@Test func garbageAndWrongTypeAreWhatTheySay() async throws {
    try await DummyFixture.with { dummy in
        await #expect(throws: (any Error).self) { try await dummy.chat("garbage") }
        let events = try await dummy.events("garbage").dropLast()
        #expect(throws: CallError.self) { try events.map { try ChatEvent($0) } }
        let page = try await dummy.response(DummyFixture.chatBody("wrong-type"))
        #expect(page.contains("Content-Type: text/html"))
    }
}

@Test func dropClosesTheConnectionAfterItsTokens() async throws {
    try await DummyFixture.with { dummy in
        #expect(try await dummy.response(DummyFixture.chatBody("drop-after-0")) == "")
        let events = try await dummy.events("drop-after-2").map { try ChatEvent($0) }
        #expect(events.compactMap { $0.choices.first?.delta.content } == ["", "> ", "Hello, "])
    }
}

@Test func aClientThatLeavesIsNoticed() async throws {
    try await DummyFixture.with { dummy in
        let body = DummyFixture.chatBody("stall-after-2", #","stream":true"#, message: "a b c")
        let hasToken = try await HTTPConversation.with("POST", "/v1/chat/completions", json: body, port: dummy.port) {
            try await $0.read(until: #""content":"a ""#)
        }
        #expect(hasToken)
        let record = try await firstRecord(of: dummy) { $0.left != nil }
        #expect(record.tokens == 2)
        #expect(record.events == 3)
        #expect(record.ended == nil)
        #expect((record.leftAfterMs ?? -1) >= 0)
    }
}

@Test func aClientThatLeavesEndsThePause() async throws {
    try await DummyFixture.with { dummy in
        let body = DummyFixture.chatBody("slow-first-byte-86400000")
        try await HTTPConversation.with("POST", "/v1/chat/completions", json: body, port: dummy.port) { _ in
            _ = try await firstRecord(of: dummy) { _ in true }
        }
        let record = try await firstRecord(of: dummy) { $0.left != nil }
        #expect(record.tokens == 0)
        #expect(record.ended == nil)
    }
}

@Test func aClientThatLeavesAfterTheEndHasNotLeft() async throws {
    try await DummyFixture.with { dummy in
        _ = try await dummy.events("dummy")
        _ = try await dummy.chat("dummy")
        let report = try await dummy.observed()
        #expect(report.requests == 2)
        #expect(report.requestsByModel == ["dummy": 2])
        #expect(report.latest.allSatisfy { $0.left == nil && $0.ended != nil })
    }
}

@Test func oldRecordsAreForgotten() throws {
    let observed = Observed()
    let request = try DummyRequest(parsing: ByteBuffer(string: DummyFixture.chatBody("dummy")))
    var last = 0
    for _ in 0..<2 * Observed.recordLimit { last = observed.begin(request, operation: "chat") }
    observed.ended(1)
    observed.ended(last)
    let report = observed.report()
    #expect(report.requests == 2 * Observed.recordLimit)
    #expect(report.latest.count <= Observed.recordLimit)
    #expect(observed.report(after: last - 2).latest.map(\.number) == [last - 1, last])
    #expect(report.latest.last?.number == last)
    #expect(report.latest.filter { $0.ended != nil }.map(\.number) == [last])
}

/// The first request's record, once it is as wanted; the test's time limit is the deadline.
private func firstRecord(
    of dummy: DummyFixture, when isWanted: (Observed.Record) -> Bool
) async throws -> Observed.Record {
    while true {
        if let record = try await dummy.observed().latest.first, isWanted(record) { return record }
        try await Task.sleep(for: .milliseconds(5))
    }
}
