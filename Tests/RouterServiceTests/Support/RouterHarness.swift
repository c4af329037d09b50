import HTTPClient
import NIOCore
import SharedProtocol
import Testing

@testable import router_service

/// A router for the model `public/m`, with the endpoints that a test names, called through the wire's own encoding.
struct RouterHarness {
    static let model = ModelName("public/m")

    let directory: EndpointDirectory
    let client: HTTPClient
    let drain = Drain()
    let caller: InProcessCaller

    /// - Parameters:
    ///   - urls: one endpoint each; its key is `key-of-N`, its remote name `remote-N`, counted from 0.
    ///   - options: more members for every endpoint.
    init(_ urls: [String], options: String = "", total: Duration = .seconds(60)) throws {
        directory = EndpointDirectory(try Self.configuration(urls, options: options))
        client = try HTTPClient()
        let completions = Completions(directory, client, drain) { total }
        caller = InProcessCaller(RouterService.calls(completions, directory))
    }

    static func configuration(_ urls: [String], options: String = "") throws -> LumenConfiguration {
        let endpoints = urls.enumerated().map { index, url in
            "      - {url: '\(url)', api_key: key-of-\(index), model: remote-\(index)\(options.isEmpty ? "" : ", ")\(options)}"
        }
        let text = """
            app: {secret_key: 0123456789abcdef0123456789abcdef, encryption_key: e, debug: true, dev_user: d@example.com}
            models:
              - name: \(model)
                endpoints:
            \(endpoints.joined(separator: "\n"))
            """
        return try ConfigurationLoader.load(text: text, path: "/srv/config.yaml", environment: [:])
    }

    struct Answer {
        var events: [String]
        var completion: Router.Completion
    }

    func open(_ call: Router.Complete, body: String = "{}") async throws -> EventStream<Router.Completion> {
        try await caller.open(call, body: ByteBuffer(string: body), request: "req_1", timeout: .seconds(60))
    }

    /// Makes the call and reads it to its end.
    func complete(_ call: Router.Complete = .stream(), body: String = "{}") async throws -> Answer {
        try await Self.readAll(try await open(call, body: body))
    }

    static func readAll(_ stream: EventStream<Router.Completion>) async throws -> Answer {
        var events: [String] = []
        while true {
            let more = try await stream.next()
            if more.isEmpty { return Answer(events: events, completion: try stream.reply) }
            events += more.map { String(buffer: $0) }
        }
    }
}

extension Router.Complete {
    static func stream(relaysUsage: Bool = false, limit: TokenCount? = nil) -> Router.Complete {
        Router.Complete(
            model: RouterHarness.model, operation: .chatCompletions, isStream: true, outputLimit: limit,
            outputLimitField: nil, relaysUsage: relaysUsage)
    }

    static let whole = Router.Complete(
        model: RouterHarness.model, operation: .chatCompletions, isStream: false, outputLimit: nil,
        outputLimitField: nil, relaysUsage: true)
}

extension RequestID: ExpressibleByStringLiteral {
    public init(stringLiteral text: String) { self.init(text) }
}

/// Events as backends write them.
enum Sample {
    static let hello = #"{"id":"1","model":"remote-0","choices":[{"index":0,"delta":{"content":"Hello"}}]}"#
    static let end = #"{"id":"1","model":"remote-0","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#
    static let usage = #"{"id":"1","model":"remote-0","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}"#
    static let reply =
        #"{"model":"remote-0","choices":[{"message":{"content":"Hi"}}],"usage":{"prompt_tokens":7,"completion_tokens":3}}"#

    /// The event as the caller is to get it.
    static func relayed(_ event: String) -> String {
        event.replacing(#""remote-0""#, with: #""public/m""#)
    }

    static func stream(_ events: [String]) -> String { events.map { "data: \($0)\n\n" }.joined() }
}

extension ScriptedReply {
    /// A whole stream in one piece.
    func stream(_ events: [String]) async throws {
        try await beginChunks()
        try await chunk(Sample.stream(events))
        try await endChunks()
    }
}
