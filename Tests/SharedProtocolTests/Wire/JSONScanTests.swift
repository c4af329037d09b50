import FoundationEssentials
import NIOCore
import Testing

@testable import SharedProtocol

@Suite struct JSONScanTests {
    @Test(arguments: [
        "{}", "[]", "0", "-0.5e+10", "\"\"", "\"\\u00e9\\\\\\n\"", "true", "false", "null", " { \"a\" : [ 1 , { } ] } ",
        "\"12345678é234567\u{1F600}\"", "[\"\\ud83d\\ude00\"]",
    ])
    func validJSONPasses(_ text: String) { #expect(isValid(Array(text.utf8))) }

    @Test(arguments: [
        "", "{", "[1,]", "{\"a\":1,}", "{a:1}", "01", "1.", ".5", "1e", "+1", "nul", "True", "\"", "\"\\x\"",
        "\"\\u12g4\"",
        "\"\n\"", "{} {}", "[1 2]", "{\"a\" 1}", "--1", "\u{FEFF}{}", "'a'",
    ])
    func invalidJSONIsRefused(_ text: String) { #expect(!isValid(Array(text.utf8))) }

    @Test(
        arguments: [
            [0xC0, 0x80], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xFF], [0xC3], [0x80],
        ] as [[UInt8]])
    func invalidUTF8IsRefused(_ bytes: [UInt8]) {
        #expect(!isValid([0x22] + bytes + [0x22]))
        #expect(!isValid(Array("\"12345678".utf8) + bytes + [0x22]))
    }

    @Test func nestingIsLimited() {
        let limit = JSONScan.depthLimit
        let deep = { (depth: Int) in
            Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
        }
        #expect(isValid(deep(limit)))
        #expect(!isValid(deep(limit + 1)))
    }

    @Test func membersAreFoundAtTheTopOnly() throws {
        let text = #"{"x":{"model":"inner"},"s":"\"model\":\"quoted\"","mo\u0064el":"m","list":["model"]}"#
        let found = try ByteBuffer(string: text).withUnsafeReadableBytes { bytes in
            var found: [String] = []
            var scan = JSONScan(bytes)
            try scan.object { key, scan throws(JSONScanError) in
                if key == "model" { found.append(try scan.string().text) }
            }
            try scan.end()
            return found
        }
        #expect(found == ["m"])
    }

    @Test(
        arguments: [
            ("1", 1), ("-9223372036854775808", Int64.min), ("1.0", nil), ("1e3", nil), ("9223372036854775808", nil),
        ] as [(String, Int64?)])
    func integersAreExact(_ text: String, _ value: Int64?) throws {
        let found = try ByteBuffer(string: text).withUnsafeReadableBytes { bytes in
            var scan = JSONScan(bytes)
            return try scan.integer()
        }
        #expect(found == value)
    }

    /// The scan and Foundation agree on what is JSON, for mutations of a document that uses every production.
    @Test func agreesWithFoundation() throws {
        let seed = TestSeed.next()
        var random = SeededGenerator(seed: seed)
        let whole = Array(
            #"{"a":[1,-2.5e3,"x\n\u00e9é",true,false,null,{}],"b":{"c":[[]]},"d":"longer than eight"}"#.utf8)
        for _ in 0..<5000 {
            var bytes = whole
            let index = Int.random(in: 0..<bytes.count, using: &random)
            bytes[index] = UInt8.random(in: 0x20...0x7E, using: &random)
            let foundation = (try? JSONDecoder().decode(Anything.self, from: Data(bytes))) != nil
            let text = String(decoding: bytes, as: UTF8.self)
            #expect(isValid(bytes) == foundation, "seed \(seed): \(text)")
        }
    }

    private func isValid(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { bytes in
            var scan = JSONScan(bytes)
            do {
                try scan.skip()
                try scan.end()
                return true
            } catch {
                return false
            }
        }
    }

    /// Decodes any JSON to the last value, so that Foundation's parser, which is lazy, has its say on all of it.
    private struct Anything: Decodable {
        init(from decoder: any Decoder) throws {
            if (try? decoder.container(keyedBy: AnyKey.self)) != nil {
                _ = try [String: Anything](from: decoder)
            } else if (try? decoder.unkeyedContainer()) != nil {
                _ = try [Anything](from: decoder)
            } else {
                let value = try decoder.singleValueContainer()
                if value.decodeNil() || (try? value.decode(Bool.self)) != nil { return }
                if (try? value.decode(Double.self)) == nil { _ = try value.decode(String.self) }
            }
        }
    }

    private struct AnyKey: CodingKey {
        var stringValue: String
        var intValue: Int?
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}
