import NIOCore
import SharedProtocol
import Testing

@testable import web_service

/// What a request may say, what it is reserved for, and what goes upstream.
@Suite struct ModelRequestTests {
    @Test func unknownMembersPassAndOursAreTakenOut() throws {
        let request = try parse(
            #"{"vendor":{"model":"x","a":[1.50]},"model":"m","max_tokens":7,"messages":[{"content":"hi"}],"seed":1}"#)
        #expect(request.model == ModelName("m"))
        #expect(request.namedLimit == 7)
        #expect(request.limitField == "max_tokens")
        #expect(
            String(buffer: request.body)
                == #"{"vendor":{"model":"x","a":[1.50]},"messages":[{"content":"hi"}],"seed":1}"#)
    }

    @Test func aStreamAlwaysAsksForItsUsage() throws {
        let plain = try parse(#"{"model":"m","messages":[{}],"stream":true}"#)
        #expect(String(buffer: plain.body).hasSuffix(#""stream_options":{"include_usage":true}}"#))
        #expect(!plain.wantsUsage)
        let merged = try parse(
            #"{"model":"m","messages":[{}],"stream":true,"stream_options":{"include_usage":false,"x":{"y":1}}}"#)
        #expect(String(buffer: merged.body).hasSuffix(#""stream_options":{"x":{"y":1},"include_usage":true}}"#))
        #expect(!merged.wantsUsage)
        let wanted = try parse(
            #"{"model":"m","messages":[{}],"stream":true,"stream_options":{"include_usage":true}}"#)
        #expect(wanted.wantsUsage)
    }

    @Test(arguments: [
        (#"{"model":"a","messages":[{}],"model":"b"}"#, "model"),
        (#"{"model":"a","messages":[{}],"mod\u0065l":"b"}"#, "model"),
        (#"{"model":"a","messages":[{}],"x":1,"\u0078":2}"#, "x"),
        (#"{"model":"a","messages":[{}],"messages":[]}"#, "messages"),
        (#"{"model":"a","messages":[{}],"max_tokens":1,"max_tokens":2}"#, "max_tokens"),
        (#"{"model":1,"messages":[{}]}"#, "model"), (#"{"messages":[{}]}"#, "model"),
        (#"{"model":"a"}"#, "messages"), (#"{"model":"a","messages":[]}"#, "messages"),
        (#"{"model":"a","messages":"hi"}"#, "messages"), (#"{"model":"a","messages":[{}],"stream":1}"#, "stream"),
        (#"{"model":"a","messages":[{}],"max_tokens":0}"#, "max_tokens"),
        (#"{"model":"a","messages":[{}],"max_tokens":1.5}"#, "max_tokens"),
        (#"{"model":"a","messages":[{}],"max_tokens":"7"}"#, "max_tokens"),
        (#"{"model":"a","messages":[{}],"max_completion_tokens":-1}"#, "max_completion_tokens"),
        (#"{"model":"a","messages":[{}],"max_tokens":99999999999999999999}"#, "max_tokens"),
        (#"{"model":"a","messages":[{}],"n":0}"#, "n"), (#"{"model":"a","messages":[{}],"n":129}"#, "n"),
        (#"{"model":"a","messages":[{}],"stream_options":3}"#, "stream_options"),
    ])
    func whatIsWrongIsNamed(_ json: String, _ param: String) {
        let error = #expect(throws: APIError.self) { try parse(json) }
        #expect(error?.status == 400)
        #expect(error?.param == param)
    }

    @Test func whatIsNestedTooDeepIsToldTheLimit() {
        let limit = JSONScan.depthLimit
        let deep = String(repeating: "[", count: limit) + String(repeating: "]", count: limit)
        let error = #expect(throws: APIError.self) { try parse(#"{"model":"a","x":\#(deep)}"#) }
        #expect(error?.message == "The body is nested more than 128 levels deep.")
    }

    @Test(arguments: ["", "[]", "\"x\"", "{", #"{"model":"a","messages":[{}]} x"#])
    func whatIsNoObjectIsRefused(_ json: String) {
        #expect(throws: APIError.self) { try parse(json) }
    }

    @Test func nullIsAbsent() throws {
        let request = try parse(
            #"{"model":"a","messages":[{}],"max_tokens":null,"n":null,"stream":null,"stream_options":null}"#)
        #expect(request.namedLimit == nil)
        #expect(request.outputs == 1)
        #expect(!request.isStream)
    }

    @Test func thePromptBoundCountsAllThatTheModelReads() throws {
        let messages = #"[{"content":"hello"},{"content":"you"}]"#
        let tools = #"[{"name":"f"}]"#
        let request = try parse(#"{"model":"a","metadata":"not read","messages":\#(messages),"tools":\#(tools)}"#)
        let bytes = Int64(messages.utf8.count + tools.utf8.count)
        #expect(request.prompt.bound(for: try model()) == TokenCount(bytes + 16))
        #expect(request.prompt.bound(for: try model(template: 5)) == TokenCount(bytes + 21))
        #expect(request.prompt.bound(for: try model(window: 20)) == 20)
    }

    @Test func payloadsCostWhatTheyAreWorth() throws {
        let payload = String(repeating: "A", count: 6400)
        let image = try parse(
            #"{"model":"a","messages":[{"content":[{"image_url":{"url":"data:image/png;base64,\#(payload)"},"type":"image_url"}]}]}"#
        )
        #expect(image.prompt.images == 1)
        #expect(image.prompt.bytes < 200)
        #expect(image.prompt.bound(for: try model()) > 2048)
        let audio = try parse(
            #"{"model":"a","messages":[{"content":[{"type":"input_audio","input_audio":{"data":"\#(payload)"}}]}]}"#)
        #expect(audio.prompt.otherPayloadBytes == 6400)
        #expect(audio.prompt.bytes < 200)
    }

    /// Text that looks like a payload is read by the model and counts in full.
    @Test(arguments: [
        #"{"type":"text","text":"data:image/png;base64,PAYLOAD"}"#,
        #"{"type":"text","image_url":{"url":"data:image/png;base64,PAYLOAD"}}"#,
        #"{"type":"image_url","image_url":{"detail":"data:x,PAYLOAD","url":"http://x"}}"#,
    ])
    func textIsNoPayload(_ part: String) throws {
        let part = part.replacing("PAYLOAD", with: String(repeating: "A", count: 6400))
        let request = try parse(#"{"model":"a","messages":[{"content":[\#(part)]}]}"#)
        #expect(request.prompt.bytes > 6400)
    }

    @Test func theOutputLimitIsTheClientsWithinTheModels() throws {
        let named = try parse(#"{"model":"a","messages":[{}],"max_completion_tokens":100,"max_tokens":50}"#)
        #expect(named.limitField == "max_completion_tokens")
        #expect(named.outputLimit(for: try model()) == 100)
        #expect(named.outputLimit(for: try model(output: 60)) == 60)
        let unnamed = try parse(#"{"model":"a","messages":[{}]}"#)
        #expect(unnamed.outputLimit(for: try model()) == 4096)
        #expect(unnamed.outputLimit(for: try model(output: 60)) == 60)
        #expect(unnamed.outputLimit(for: try model(window: 1000)) == 1000 - unnamed.prompt.estimate(for: try model()))
        #expect(unnamed.outputLimit(for: try model(window: 1)) == 1)
    }

    @Test(arguments: [
        (#""one""#, 1), ("[1,2,3]", 1), (#"["one","two","three"]"#, 3), ("[[1,2],[3]]", 2),
    ])
    func promptsAreCounted(_ prompt: String, _ count: Int64) throws {
        let request = try parse(#"{"model":"a","prompt":\#(prompt),"n":2,"best_of":3}"#, for: .completions)
        #expect(request.outputs == 3 * count)
        #expect(request.limitField == "max_tokens")
        #expect(request.prompt.bound(for: try model()) == TokenCount(Int64(prompt.utf8.count)))
        #expect(String(buffer: request.body) == #"{"prompt":\#(prompt),"n":2,"best_of":3}"#)
    }

    @Test func embeddingsHaveAPromptAndNoOutput() throws {
        let json = #"{"model":"a","input":["one","two"],"dimensions":3,"max_tokens":7,"n":"x"}"#
        let request = try parse(json, for: .embeddings)
        #expect(request.outputs == 0)
        #expect(request.limitField == nil)
        #expect(request.outputLimit(for: try model(output: 60)) == 0)
        #expect(request.prompt.bound(for: try model()) == TokenCount(Int64(#"["one","two"]"#.utf8.count)))
        #expect(String(buffer: request.body) == #"{"input":["one","two"],"dimensions":3,"max_tokens":7,"n":"x"}"#)
    }

    @Test(arguments: [
        (#"{"model":"a"}"#, Router.Operation.completions, "prompt"),
        (#"{"model":"a","prompt":null}"#, .completions, "prompt"),
        (#"{"model":"a","prompt":[]}"#, .completions, "prompt"),
        (#"{"model":"a","prompt":[1,"x"]}"#, .completions, "prompt"),
        (#"{"model":"a","prompt":{}}"#, .completions, "prompt"),
        (#"{"model":"a","prompt":"x","prom\u0070t":"y"}"#, .completions, "prompt"),
        (#"{"model":"a","prompt":"x","best_of":0}"#, .completions, "best_of"),
        (#"{"model":"a","prompt":"x","best_of":129}"#, .completions, "best_of"),
        (#"{"model":"a","prompt":"x","max_completion_tokens":1}"#, .completions, "max_completion_tokens"),
        (#"{"model":"a","prompt":"x"}"#, .embeddings, "input"), (#"{"model":"a","input":7}"#, .embeddings, "input"),
        (#"{"model":"a","input":[true]}"#, .embeddings, "input"),
        (#"{"model":"a","input":"x","input":"y"}"#, .embeddings, "input"),
    ])
    func whatIsWrongIsNamedOfEveryOperation(_ json: String, _ operation: Router.Operation, _ param: String) {
        let error = #expect(throws: APIError.self) { try parse(json, for: operation) }
        #expect(error?.status == 400)
        #expect(error?.param == param)
    }

    @Test func inputsHaveAMost() {
        let inputs = Array(repeating: "\"x\"", count: 2049).joined(separator: ",")
        let error = #expect(throws: APIError.self) {
            try parse(#"{"model":"a","input":[\#(inputs)]}"#, for: .embeddings)
        }
        #expect(error?.param == "input")
    }

    private func parse(_ json: String, for operation: Router.Operation = .chatCompletions) throws -> ModelRequest {
        try ModelRequest(json: ByteBuffer(string: json), for: operation)
    }

    private func model(output: Int? = nil, window: Int? = nil, template: Int = 0) throws -> ModelConfiguration {
        var model = try TestConfiguration.make().models[0]
        model.maxOutputTokens = output.map { TokenCount(Int64($0)) }
        model.contextWindow = window.map { TokenCount(Int64($0)) }
        model.templateTokens = TokenCount(Int64(template))
        return model
    }
}
