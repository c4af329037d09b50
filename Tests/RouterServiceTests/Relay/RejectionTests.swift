import NIOCore
import SharedProtocol
import Testing

@testable import router_service

@Suite struct RejectionTests {
    @Test(arguments: [
        #"{"error":{"message":"m","type":"t","code":"c","param":"p"}}"#,
        #"{"object":"error","message":"m","type":"t","code":"c","param":"p"}"#,
    ])
    func everyPartIsFound(body: String) throws {
        let expected = Router.Failure(.rejected, "m", status: 400, code: "c", type: "t", param: "p")
        #expect(try failure(body) == expected)
    }

    @Test(arguments: [
        (#"{"error":"m"}"#, "m"), (#"{"detail":"m"}"#, "m"),
        (#"{"error":{"message":"m","code":400,"param":null}}"#, "m"),
        ("<html>", nil), ("", nil), ("{}", nil), ("[]", nil), (#"{"error":null}"#, nil),
        (#"{"detail":[{"loc":["body"]}]}"#, nil), (#"{"error":{"message":"m"}"#, nil),
    ])
    func theMessageIsFoundOrAGeneralOneTold(body: String, message: String?) throws {
        #expect(try failure(body).message == message ?? "The model's backend refused the request.")
    }

    @Test(arguments: [
        "see https://gpu.example.edu:8443/api/v1 now", "see GPU.example.edu:8443 now", "see gpu.EXAMPLE.edu now",
        "see key-of-0 now", "see gpu.example.edu:8443/api/v1 now",
    ])
    func nothingTellsWhereTheEndpointIs(text: String) throws {
        let body = #"{"error":{"message":"\#(text)","code":"\#(text)","type":"\#(text)","param":"\#(text)"}}"#
        let failure = try failure(body)
        for part in [failure.message, failure.code, failure.type, failure.param] {
            #expect(part == "see (backend) now")
        }
    }

    private func failure(_ body: String) throws -> Router.Failure {
        let endpoint = try #require(try RouterHarness(["https://gpu.example.edu:8443/api/v1"]).directory.all.first)
        return Rejection(ByteBuffer(string: body)).failure(status: 400, scrubbing: endpoint)
    }
}
