import NIOCore
import SharedProtocol
import Testing

@testable import router_service

@Suite struct RequestBodyTests {
    @Test(arguments: [
        ("{}", #"{"model":"remote-0","max_tokens":5}"#),
        (" { \n } ", "{\"model\":\"remote-0\",\"max_tokens\":5 \n } "),
        (#"{"a":1}"#, #"{"model":"remote-0","max_tokens":5,"a":1}"#),
        (#" {"a":{"model":"x"}}"#, #"{"model":"remote-0","max_tokens":5,"a":{"model":"x"}}"#),
    ])
    func modelAndLimitComeFirst(body: String, expected: String) throws {
        #expect(try bytes(body, .stream(limit: 5)) == expected)
    }

    @Test func withoutALimitThereIsNone() throws {
        #expect(try bytes(#"{"a":1}"#, .stream()) == #"{"model":"remote-0","a":1}"#)
    }

    @Test func theClientsFieldWins() throws {
        var call = Router.Complete.stream(limit: 5)
        call.outputLimitField = "max_completion_tokens"
        #expect(try bytes("{}", call) == #"{"model":"remote-0","max_completion_tokens":5}"#)
    }

    @Test(arguments: [nil, "", "[]", "x", " "])
    func whatIsNoObjectIsRefused(body: String?) {
        #expect(throws: CallError.self) { try RequestBody(body.map { ByteBuffer(string: $0) }, of: .stream()) }
    }

    private func bytes(_ body: String, _ call: Router.Complete) throws -> String {
        let endpoint = try #require(try RouterHarness(["http://127.0.0.1:1/v1"]).directory.all.first)
        return String(buffer: try RequestBody(ByteBuffer(string: body), of: call).bytes(for: endpoint))
    }
}
