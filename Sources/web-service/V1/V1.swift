import HTTPTypes
import Hummingbird
import NIOCore
import SharedProtocol

/// The OpenAI-compatible API: every route, and every error of every path below `/v1`, in OpenAI's shape.
struct V1: Sendable {
    static let balanceTimeout = Duration.seconds(2)

    let call: ChatCall
    let identities: Identities
    let presences: ClientPresences
    let bodies = BodyBudget()
    let idempotencyKeys: IdempotencyKeys

    /// How far a request has come.
    private struct Course {
        var standing: RateLimitStanding?
        var hasReadBody = false
    }

    func respond(to request: Request, context: WebContext) async -> Response {
        let origin = CrossOrigin(request.headers, call.configuration.current.api)
        var course = Course()
        var response: Response
        do {
            response = try await route(request, context, origin, &course)
        } catch {
            course.standing = course.standing ?? error.standing
            response = V1Reply.failure(error)
            if !course.hasReadBody, request.announcesBody {
                response = V1Reply.early(response, to: request, on: context.channel)
            }
        }
        if let standing = course.standing { V1Reply.add(standing, to: &response.headers) }
        origin.add(to: &response.headers)
        response.headers[.requestID] = context.request.rawValue
        return response
    }

    private func route(
        _ request: Request, _ context: WebContext, _ origin: CrossOrigin, _ course: inout Course
    ) async throws(APIError) -> Response {
        guard let route = V1Route(path: request.uri.path) else { throw .unknownURL }
        if request.method == .options {
            var headers = origin.preflight(request.headers, methods: route.allowed)
            headers[.allow] = route.allowed
            return Response(status: .noContent, headers: headers)
        }
        guard route.methods.contains(request.method) else { throw .methodNotAllowed(route.allowed) }
        let requester = try await identify(request, context)
        course.standing = try await call.admit(requester)
        switch route {
        case .run(let operation): return try await run(operation, request, context, requester, &course)
        case .models: return V1Reply.json(ModelList(data: try await models(of: requester, context)))
        case .model(let name):
            guard let model = try await models(of: requester, context).first(where: { $0.id == name }) else {
                throw .modelNotFound(name)
            }
            return V1Reply.json(model)
        }
    }

    private func identify(_ request: Request, _ context: WebContext) async throws(APIError) -> Requester {
        let client = {
            IPAddress.client(
                peer: context.channel.remoteAddress, headers: request.headers,
                trusted: call.configuration.current.app.trustedProxies)
        }
        guard let header = request.headers[.authorization] else { throw .invalidKey }
        guard header.count > 7, header.count < 200, header.prefix(7).lowercased() == "bearer " else {
            throw identities.refuse(client())
        }
        let holder = try await identities.holder(
            of: String(header.dropFirst(7)), request: context.request, from: client)
        return Requester(holder)
    }

    private func models(of requester: Requester, _ context: WebContext) async throws(APIError) -> [ModelList.Entry] {
        do {
            let sheet = try await call.ledger.call(
                Ledger.Balances(account: Ledger.Account(requester.person)), request: context.request,
                timeout: Self.balanceTimeout)
            return sheet.models.filter { requester.mayUse($0.model) }.map { ModelList.Entry(id: $0.model) }
        } catch {
            throw .unavailable("The list of models cannot be read right now.")
        }
    }

    private func run(
        _ operation: ModelRequest.Operation, _ request: Request, _ context: WebContext, _ requester: Requester,
        _ course: inout Course
    ) async throws(APIError) -> Response {
        let name = try IdempotencyKeys.Name.named(by: request.headers, of: requester.key)
        let reading = try await V1Body.read(
            request, for: operation, isDigested: name != nil, bodies, &course.hasReadBody)
        var ticket: IdempotencyKeys.Ticket?
        if let name, let digest = reading.digest {
            switch try await idempotencyKeys.claim(name, digest, as: context.request) {
            case .again(let reply): return V1Reply.again(reply)
            case .run(let claimed): ticket = claimed
            }
        }
        let presence = presences.presence(on: context.channel)
        let answer: Answer
        do throws(APIError) {
            answer = try await begin(reading.request, presence, context, requester)
        } catch {
            await ticket?.end(.notBilled)
            throw error
        }
        if reading.request.isStream { return V1Reply.stream(answer, presence, ticket) }
        defer { presence.forget() }
        return try await V1Reply.whole(answer, ticket)
    }

    private func begin(
        _ model: ModelRequest, _ presence: ClientPresence, _ context: WebContext, _ requester: Requester
    ) async throws(APIError) -> Answer {
        let run = call.running.enter(requester)
        // Weakly: a presence keeps what it is told until the next request of its connection.
        presence.onLeave { [weak run] in run?.end(.clientLeft) }
        return try await call.begin(model, by: requester, as: context.request, run)
    }
}

extension Request {
    fileprivate var announcesBody: Bool {
        headers[.transferEncoding] != nil || headers[.contentLength].map { $0 != "0" } ?? false
    }
}

/// `GET /v1/models`.
struct ModelList: Encodable {
    var object = "list"
    var data: [Entry]

    struct Entry: Encodable {
        var id: ModelName
        var object = "model"
        /// Models have no date of their own here; clients expect the member.
        var created = 0
        var owned_by = "lumen"
    }
}
