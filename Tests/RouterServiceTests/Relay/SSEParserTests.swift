import NIOCore
import Testing

@testable import router_service

@Suite struct SSEParserTests {
    @Test(arguments: [
        ("data: a\n\n", ["a"]),
        ("data:a\n\ndata: b\n\n", ["a", "b"]),
        ("data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"]),
        ("data: a\r\rdata: b\r\r", ["a", "b"]),
        ("data: a\r\n\ndata: b\n\r\n", ["a", "b"]),
        (": comment\n\ndata: a\n: more\n\n", ["a"]),
        ("event: x\nid: 7\nretry: 1\ndata: a\n\n", ["a"]),
        ("data: {\ndata: }\n\n", ["{ }"]),
        ("data:  two spaces\n\n", [" two spaces"]),
        ("data\n\ndata:\n\ndata: \n\n\n\n", []),
        ("\u{FEFF}data: a\n\n", ["a"]),
        ("database: no\n\ndata: a\n\n", ["a"]),
        ("data: a", ["a"]),
        ("data: a\n", ["a"]),
        ("data: a\n\ndata: [DONE]", ["a", "[DONE]"]),
        ("", []),
    ])
    func itYieldsTheData(text: String, events: [String]) throws {
        #expect(try Self.parse([ByteBuffer(string: text)]) == events)
        #expect(try Self.parse(text.utf8.map { ByteBuffer(bytes: [$0]) }) == events)
    }

    /// Whatever the chunks, the events are the same; and those whose lines are joined are what a slow reading makes of them.
    @Test func anySplitGivesTheSameEvents() throws {
        var random = SeededGenerator()
        let seed = random.seed
        for _ in 0..<500 {
            let text = Self.randomStream(&random)
            let whole = try Self.parse([ByteBuffer(bytes: text)])
            var rest = text[...]
            var chunks: [ByteBuffer] = []
            while !rest.isEmpty {
                let length = Int.random(in: 1...min(rest.count, 9), using: &random)
                chunks.append(ByteBuffer(bytes: rest.prefix(length)))
                rest = rest.dropFirst(length)
            }
            #expect(try Self.parse(chunks) == whole, "TEST_SEED=\(seed)")
        }
    }

    @Test func anEventMayBeAsLongAsTheLimit() throws {
        let longest = String(repeating: "x", count: SSEParser.eventLimit - 8)
        #expect(try Self.parse([ByteBuffer(string: "data: \(longest)\n\n")]) == [longest])
    }

    @Test func anEventThatIsTooLongIsRefusedBeforeItsEnd() {
        let piece = ByteBuffer(string: String(repeating: "x", count: 1 << 20))
        #expect(throws: SSEParser.EventTooLong.self) {
            try Self.parse([ByteBuffer(string: "data: ")] + [ByteBuffer](repeating: piece, count: 17))
        }
    }

    @Test func manyLinesAreNoWayAroundTheLimit() {
        let line = ByteBuffer(string: "data: " + String(repeating: "x", count: 1 << 20) + "\n")
        #expect(throws: SSEParser.EventTooLong.self) { try Self.parse([ByteBuffer](repeating: line, count: 17)) }
    }

    /// Comments keep streams alive for hours; they must not pile up.
    @Test func commentsAreNotKept() throws {
        let comment = ByteBuffer(string: ": " + String(repeating: "x", count: 1 << 20) + "\n")
        #expect(
            try Self.parse([ByteBuffer](repeating: comment, count: 20) + [ByteBuffer(string: "data: a\n\n")]) == ["a"])
    }

    private static func parse(_ chunks: [ByteBuffer]) throws -> [String] {
        var parser = SSEParser()
        var events: [String] = []
        for chunk in chunks {
            parser.feed(chunk)
            while let event = try parser.next() { events.append(String(buffer: event)) }
        }
        if let event = parser.last() { events.append(String(buffer: event)) }
        return events
    }

    private static func randomStream(_ random: inout SeededGenerator) -> [UInt8] {
        let pieces = ["data: ", "data:", "data", ":", "event: e", "x", "{}", "é", " ", "\n", "\r", "\r\n", "\n\n"]
        return (0..<Int.random(in: 0...40, using: &random)).flatMap { _ in
            Array((pieces.randomElement(using: &random) ?? "").utf8)
        }
    }
}
