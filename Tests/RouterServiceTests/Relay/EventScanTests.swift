import NIOCore
import SharedProtocol
import Testing

@testable import router_service

@Suite struct EventScanTests {
    @Test func thePublicNameReplacesOnlyTheTopLevelModel() throws {
        let event = #"{"a":{"model":"x"},"choices":[{"delta":{"content":"\"model\":\"x\""}}], "model" : "x" ,"z":1}"#
        let expected =
            #"{"a":{"model":"x"},"choices":[{"delta":{"content":"\"model\":\"x\""}}], "model" : "p/m" ,"z":1}"#
        #expect(try spliced(event) == expected)
    }

    @Test func aModelKeySpeltWithEscapesIsTheModel() throws {
        #expect(try spliced(#"{"mod\u0065l":"x"}"#) == #"{"mod\u0065l":"p/m"}"#)
    }

    @Test func withoutAModelNothingIsAdded() throws {
        #expect(try spliced(#"{"id":1}"#) == #"{"id":1}"#)
    }

    @Test(arguments: [
        "", "x", "[]", "\"a\"", "{", "{}x", "{}{}", #"{"a":01}"#, #"{"a":"\x"}"#, #"{'a':1}"#, "{\"a\":\"\u{1}\"}",
        #"{"model":"a","model":"b"}"#, #"{"model":"a","mod\u0065l":"b"}"#,
    ])
    func whatIsNotOneObjectWithOneModelIsRefused(text: String) {
        #expect(EventScan(ByteBuffer(string: text)) == nil)
    }

    @Test func invalidUTF8IsRefused() {
        let bytes = Array(#"{"a":""#.utf8) + [0xC3, 0x28] + Array(#""}"#.utf8)
        #expect(EventScan(ByteBuffer(bytes: bytes)) == nil)
    }

    @Test(arguments: [
        (#"{"choices":[{"delta":{"content":"abc"}}]}"#, 3),
        (#"{"choices":[{"delta":{"content":"\n"}}]}"#, 2),
        (#"{"choices":[{"delta":{"reasoning":"ab"}},{"delta":{"reasoning_content":"c"}}]}"#, 3),
        (#"{"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}}]}"#, 2),
        (#"{"choices":[{"message":{"content":"abc"}}]}"#, 3),
        (#"{"choices":[{"text":"abc"}]}"#, 3),
        (#"{"choices":[{"delta":{"content":null,"role":"assistant"}}]}"#, 0),
        (#"{"choices":null,"content":"abc"}"#, 0),
        (#"{"choices":[null,1,{"delta":null},{"delta":{"tool_calls":[null,{"function":null}]}}]}"#, 0),
    ])
    func contentIsCounted(text: String, bytes: Int) throws {
        #expect(try scan(text).contentBytes == bytes)
    }

    @Test(arguments: [
        (#"{"prompt_tokens":7,"completion_tokens":3,"x":[1]}"#, Router.ReportedUsage(prompt: 7, completion: 3)),
        (#"{"prompt_tokens":7,"total_tokens":9}"#, Router.ReportedUsage(prompt: 7, completion: 2)),
        (#"{"prompt_tokens":7,"total_tokens":7}"#, Router.ReportedUsage(prompt: 7, completion: 0)),
        (#"{"prompt_tokens":7}"#, nil), (#"{"completion_tokens":7}"#, nil), ("null", nil), ("7", nil), ("{}", nil),
        (#"{"prompt_tokens":-7,"completion_tokens":3}"#, nil),
        (#"{"prompt_tokens":"7","completion_tokens":3}"#, nil),
        (#"{"prompt_tokens":9223372036854775807,"completion_tokens":3}"#, nil),
        (#"{"prompt_tokens":99999999999999999999999,"completion_tokens":3}"#, nil),
    ])
    func usageIsReadWhenItIsUsable(text: String, usage: Router.ReportedUsage?) throws {
        #expect(try scan(#"{"usage":\#(text)}"#).usage == usage)
    }

    @Test func aUsageEventIsOneWithoutChoices() throws {
        #expect(try scan(Sample.usage).isUsageOnly)
        #expect(try !scan(Sample.reply).isUsageOnly)
        #expect(try !scan(#"{"choices":[]}"#).isUsageOnly)
    }

    @Test func anErrorIsOneUnlessItIsNull() throws {
        #expect(try scan(#"{"error":{"message":"x"}}"#).hasError)
        #expect(try !scan(#"{"error":null,"choices":[]}"#).hasError)
    }

    @Test func usageFromBeforeTheLastContentIsForgotten() throws {
        var tally = Tally()
        tally.count(try scan(Sample.usage))
        tally.count(try scan(Sample.hello))
        #expect(tally.usage == nil)
        tally.count(try scan(Sample.usage))
        #expect(tally.usage == Router.ReportedUsage(prompt: 7, completion: 3))
        #expect(tally.contentEvents == 1)
        #expect(tally.contentBytes == 5)
    }

    private func scan(_ text: String) throws -> EventScan {
        try #require(EventScan(ByteBuffer(string: text)))
    }

    private func spliced(_ text: String) throws -> String {
        let event = ByteBuffer(string: text)
        return String(buffer: try scan(text).withPublicName(ByteBuffer(string: #""p/m""#), in: event))
    }
}
