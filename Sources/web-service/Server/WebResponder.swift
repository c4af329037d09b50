import HTTPTypes
import Hummingbird
import SharedProtocol

/// The first fork of every request: the API, whose every answer is JSON; the probes; or a page.
struct WebResponder<Pages: HTTPResponder>: HTTPResponder where Pages.Context == WebContext {
    let v1: V1
    let health: HealthPage
    let pages: Pages

    func respond(to request: Request, context: WebContext) async throws -> Response {
        let path = request.uri.path
        if path == "/v1" || path.hasPrefix("/v1/") { return await v1.respond(to: request, context: context) }
        switch path {
        case "/healthz": return health.alive()
        case "/readyz": return await health.ready()
        // Of the server as a whole (RFC 9110, 9.3.7).
        case "*" where request.method == .options: return Response(status: .noContent)
        default: return try await pages.respond(to: request, context: context)
        }
    }
}

/// `/healthz`: this process answers. `/readyz`: what it needs answers too, each named.
struct HealthPage: Sendable {
    static let timeout = Duration.milliseconds(500)

    let auth: any Caller
    let ledger: any Caller
    let routers: RouterPool

    func alive() -> Response { V1Reply.json(["status": "alive"]) }

    func ready() async -> Response {
        async let authState = state(of: auth)
        async let ledgerState = state(of: ledger)
        let states = [
            "auth": await authState, "ledger": await ledgerState,
            "router": routers.isReady ? "ready" : "no router answers",
        ]
        let isReady = states.values.allSatisfy { $0 == "ready" }
        return V1Reply.json(status: isReady ? .ok : .serviceUnavailable, states)
    }

    private func state(of service: any Caller) async -> String {
        do throws(CallError) {
            let report = try await service.call(Instance.Status(), request: nil, timeout: Self.timeout)
            return report.problems.first ?? "ready"
        } catch {
            return error.message
        }
    }
}
