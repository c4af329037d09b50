import FoundationEssentials
import NIOCore
import Testing

@testable import SharedProtocol

/// The wire's coders and Foundation's understand each other, for every shape that a contract has.
@Suite struct MessageCodingTests {
    private struct Shapes: Codable, Hashable {
        enum Choice: Codable, Hashable {
            case none
            case one(Int64)
            case named(text: String, deep: [String: [Int?]])
        }

        var text = "plain, \"quoted\", \\, \n\t\u{1}, ü, \u{1F600}"
        var numbers: [Int64] = [0, -1, .max, .min]
        var small: [UInt8] = [0, 255]
        var double = -2.5
        var flag = true
        var missing: String?
        var present: Int? = 7
        var choices: [Choice] = [.none, .one(-3), .named(text: "", deep: ["a": [1, nil], "": []])]
        var identifier = ModelName("a/b")
        var empty: [Shapes] = []
        var nested: [[String: Bool]] = [["x": false], [:]]
    }

    @Test func whatWeWriteFoundationReads() throws {
        var buffer = ByteBuffer()
        try buffer.writeJSON(Shapes())
        #expect(try JSONDecoder().decode(Shapes.self, from: Data(buffer.readableBytesView)) == Shapes())
    }

    @Test func whatFoundationWritesWeRead() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .prettyPrinted
        let buffer = ByteBuffer(bytes: try encoder.encode(Shapes()))
        #expect(try buffer.decodeJSON(Shapes.self) == Shapes())
    }

    @Test func writingAppends() throws {
        var buffer = ByteBuffer(string: "[")
        try buffer.writeJSON([1, 2])
        try buffer.writeJSON("x")
        #expect(String(buffer: buffer) == "[[1,2]\"x\"")
    }

    @Test(arguments: [
        "{}", "[]", #"{"id":"1"}"#, #"{"id":1.5}"#, #"{"id":9223372036854775808}"#, #"{"id":null}"#, "{\"id\":1} x", "",
    ])
    func whatDoesNotFitIsRefused(_ json: String) {
        struct Numbered: Codable { var id: Int64 }
        let error = #expect(throws: CallError.self) { try ByteBuffer(string: json).decodeJSON(Numbered.self) }
        #expect(error?.code == .invalidParams)
    }

    @Test(arguments: [(Int8.min, "-128"), (Int8.max, "127")])
    func theEdgesOfATypeFit(_ value: Int8, _ json: String) throws {
        #expect(try ByteBuffer(string: json).decodeJSON(Int8.self) == value)
        #expect(throws: CallError.self) { try ByteBuffer(string: json + "0").decodeJSON(Int8.self) }
    }

    @Test func unknownMembersAreIgnoredAndEscapedNamesAreNames() throws {
        struct Numbered: Codable { var id: Int64 }
        #expect(try ByteBuffer(string: #"{"x":[{}],"\u0069d":7}"#).decodeJSON(Numbered.self).id == 7)
    }
}
