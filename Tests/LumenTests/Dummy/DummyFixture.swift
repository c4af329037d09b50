import NIOCore
import SharedProtocol
import Testing

@testable import lumen

/// An echo backend on a port of its own, and what tests ask of it.
struct DummyFixture {
    let port: Int

    static func with(_ body: @Sendable @escaping (DummyFixture) async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            let (ports, port) = AsyncStream.makeStream(of: Int.self)
            group.addTask { try await DummyServer().run(port: 0) { port.yield($0) } }
            for await port in ports {
                try await body(DummyFixture(port: port))
                break
            }
            group.cancelAll()
        }
    }

    /// The whole response to a request, head and all.
    func response(_ json: String, to path: String = "/v1/chat/completions") async throws -> String {
        try await HTTPConversation.with("POST", path, json: json, port: port) { conversation in
            try await conversation.readToEnd()
            return conversation.text
        }
    }

    /// A chat's reply, decoded.
    func chat(_ model: String, _ members: String = "", message: String = "Hello, you there") async throws -> ChatReply {
        let text = try await response(Self.chatBody(model, members, message: message))
        let body = try #require(text.split(separator: "\r\n\r\n").last)
        return try ByteBuffer(string: String(body)).decodeJSON(ChatReply.self)
    }

    /// The `data:` lines of a streamed chat.
    func events(_ model: String, _ members: String = "", message: String = "Hello, you there") async throws -> [String]
    {
        let body = Self.chatBody(model, #","stream":true"# + members, message: message)
        return try await response(body).split(whereSeparator: \.isNewline).filter { $0.hasPrefix("data: ") }.map {
            String($0.dropFirst(6))
        }
    }

    static func chatBody(_ model: String, _ members: String = "", message: String = "Hello") -> String {
        #"{"model":"\#(model)","messages":[{"role":"user","content":"\#(message)"}]\#(members)}"#
    }

    func observed() async throws -> Observed.Report {
        let text = try await HTTPConversation.with("GET", "/observed", port: port) { conversation in
            try await conversation.readToEnd()
            return conversation.text
        }
        let body = try #require(text.split(separator: "\r\n\r\n").last)
        return try ByteBuffer(string: String(body)).decodeJSON(Observed.Report.self)
    }
}

struct ChatReply: Decodable {
    var choices: [Choice]
    var usage: Usage?

    struct Choice: Decodable {
        var message: Message
        var finish_reason: String
    }

    struct Message: Decodable {
        var content: String?
        var reasoning_content: String?
        var tool_calls: [ToolCall]?
    }

    struct ToolCall: Decodable {
        var function: Function
        struct Function: Decodable {
            var name: String
            var arguments: String
        }
    }

    struct Usage: Decodable {
        var prompt_tokens: Int
        var completion_tokens: Int
    }
}

/// One event of a streamed chat.
struct ChatEvent: Decodable {
    var choices: [Choice]
    var usage: ChatReply.Usage?

    struct Choice: Decodable {
        var delta: Delta
        var finish_reason: String?
    }

    struct Delta: Decodable {
        var role: String?
        var content: String?
        var reasoning_content: String?
    }

    init(_ json: String) throws {
        self = try ByteBuffer(string: json).decodeJSON(ChatEvent.self)
    }
}
