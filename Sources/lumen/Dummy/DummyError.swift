import HTTPTypes
import Hummingbird
import NIOCore

/// An error in OpenAI's shape.
struct DummyError {
    let status: HTTPResponse.Status
    let message: String
    let code: String
    let retryAfterSeconds: Int?

    init(_ status: HTTPResponse.Status, _ message: String, code: String, retryAfterSeconds: Int? = nil) {
        self.status = status
        self.message = message
        self.code = code
        self.retryAfterSeconds = retryAfterSeconds
    }

    init(refusing refusal: Behaviour.Refusal) {
        self.init(
            .init(code: refusal.status), "This model always answers \(refusal.status).", code: "on_purpose",
            retryAfterSeconds: refusal.retryAfterSeconds)
    }

    var response: Response {
        let type = status.code < 500 ? "invalid_request_error" : "server_error"
        let json =
            #"{"error":{"message":\#(DummyRendering.json(message)),"type":"\#(type)","param":null,"code":"\#(code)"}}"#
        var headers: HTTPFields = [.contentType: "application/json"]
        if let retryAfterSeconds { headers[.retryAfter] = String(retryAfterSeconds) }
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(string: json)))
    }
}
