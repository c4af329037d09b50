import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import SharedProtocol

/// The echo backend: its routes, and how it listens.
struct DummyServer {
    /// A burst of load is queued by the kernel instead of being refused.
    private static let backlog = 4096
    /// Longest request body, in bytes; longer than any that Lumen sends.
    private static let bodyLimit = 32 << 20

    private let observed = Observed()
    private let connections = ClientConnections()

    /// Runs until the task is cancelled.
    /// - Parameter port: 0 lets the system choose.
    /// - Parameter whenListening: receives the port.
    func run(port: Int, whenListening: @escaping @Sendable (Int) async -> Void) async throws {
        var logger = Logger(label: "lumen.dummy")
        logger.logLevel = .critical
        // TCP_NODELAY is on: swift-nio sets it on the listening socket, and accepted ones inherit it.
        let application = Application(
            responder: routes.buildResponder(),
            server: .http1(
                configuration: .init(additionalChannelHandlers: [DepartureHandler(connections)])),
            configuration: .init(address: .hostname("127.0.0.1", port: port), backlog: Self.backlog),
            onServerRunning: { await whenListening($0.localAddress?.port ?? port) },
            logger: logger
        )
        try await application.run()
    }

    private var routes: Hummingbird.Router<DummyContext> {
        let router = Hummingbird.Router(context: DummyContext.self)
        router.get("observed") { request, _ in
            try Self.json(observed.report(after: request.uri.queryParameters.get("after", as: Int.self) ?? 0))
        }
        for (base, listed) in [("v1", Behaviour.table.map(\.example)), ("any/v1", [])] {
            let group = router.group(RouterPath(base))
            group.get("models") { _, _ in try Self.json(ModelList(listed)) }
            group.post("chat/completions") { try await complete(.chat, $0, $1) }
            group.post("completions") { try await complete(.completions, $0, $1) }
            group.post("embeddings") { try await embed($0, $1) }
        }
        return router
    }

    private func complete(
        _ operation: DummyRendering.Operation, _ request: Request, _ context: DummyContext
    ) async throws -> Response {
        try await answer(request, context, operation: operation.rawValue) { request, exchange in
            let rendering = DummyRendering(operation, model: request.model)
            let reply = DummyReply(to: request, as: exchange.behaviour)
            return request.isStream
                ? exchange.stream(reply, as: rendering, withUsage: request.wantsUsageEvent)
                : try await exchange.send(rendering.whole(reply), tokens: reply.tokens)
        }
    }

    private func embed(_ request: Request, _ context: DummyContext) async throws -> Response {
        try await answer(request, context, operation: "embeddings") { request, exchange in
            try await exchange.send(Embeddings(of: request, as: exchange.behaviour).json, tokens: 0)
        }
    }

    /// What all three have in common: reading the request, and the behaviours that concern the head of the reply.
    private func answer(
        _ request: Request, _ context: DummyContext, operation: String,
        with reply: (DummyRequest, DummyExchange) async throws -> Response
    ) async throws -> Response {
        let body = try await request.body.collect(upTo: Self.bodyLimit)
        let parsed: DummyRequest
        do throws(DummyRequest.Invalid) {
            parsed = try DummyRequest(parsing: body)
        } catch {
            return DummyError(.badRequest, error.message, code: "invalid_request").response
        }
        guard let behaviour = Behaviour(model: parsed.model) else {
            return DummyError(.notFound, "The model does not exist.", code: "model_not_found").response
        }
        let exchange = DummyExchange(
            behaviour: behaviour, number: observed.begin(parsed, operation: operation), observed: observed,
            connection: connections.connection(on: context.channel))
        try await exchange.begin()
        if let refusal = behaviour.refusal {
            exchange.end()
            return DummyError(refusing: refusal).response
        }
        return try await reply(parsed, exchange)
    }

    static func json(_ value: some Encodable) throws -> Response {
        var body = ByteBuffer()
        try body.writeJSON(value)
        return Response(status: .ok, headers: [.contentType: "application/json"], body: .init(byteBuffer: body))
    }
}

/// Knows the connection that a request came over.
struct DummyContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: Source) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }
}

/// `GET /models`.
private struct ModelList: Encodable {
    var object = "list"
    var data: [Model]

    struct Model: Encodable {
        var id: String
        var object = "model"
        var created = 0
        var ownedBy = "lumen"
        enum CodingKeys: String, CodingKey {
            case id, object, created
            case ownedBy = "owned_by"
        }
    }

    init(_ names: [String]) { data = names.map { Model(id: $0) } }
}
