import Hummingbird
import SharedProtocol

/// Every address that a browser may ask for; what happens there is in `Pages/`, `Chat/` and `Admin/`.
extension Site {
    var responder: some HTTPResponder<WebContext> { router.buildResponder() }

    var router: Hummingbird.Router<WebContext> {
        let router = Hummingbird.Router(context: WebContext.self, options: .autoGenerateHeadEndpoints)
        addPages(to: router)
        return router
    }

    private func addPages(to router: Hummingbird.Router<WebContext>) {
        // Of the router, not of a group, so that an unknown address is answered in the site's look, too.
        router.add(middleware: PageGate(self))
        router.add(middleware: CallbackRoute(site: self))
        let pages = router.group()
        pages.get("/") { request, context in try await landing(request, context) }
        pages.get("/login") { request, context in try await login(request, context) }
        pages.post("/logout") { request, context in await logout(request, context) }
        pages.get("/assets/:version/**") { request, context in try await file(of: assets, request, context) }
        pages.get("/vendor/:version/**") { request, context in try await file(of: vendor, request, context) }
        pages.get("/theme.css") { request, context in theme() }
        pages.get("/logo") { request, context in try await logo(context) }

        pages.get("/models", use: signedIn(models))
        pages.get("/keys", use: signedIn(keys))
        pages.post("/keys", use: signedIn(createKey))
        pages.post("/keys/:id/revoke", use: signedIn(revokeKey))
        pages.get("/sessions", use: signedIn(sessions))
        pages.post("/sessions/end-others", use: signedIn(endOtherSessions))
        pages.post("/sessions/:session/end", use: signedIn(endSession))
        pages.get("/usage", use: signedIn(usage))
        pages.get("/usage.csv", use: signedIn(usageFile))
        pages.get("/usage/events.csv", use: signedIn(eventsFile))
        addAdminPages(to: pages)

        pages.get("/chat", use: signedIn(chat))
        pages.get("/chat/:conversation", use: signedIn(chat))
        let api = pages.group("/chat/api")
        api.get("account", use: signedIn(account))
        api.get("conversations", use: signedIn(conversations))
        api.post("conversations", use: signedIn(admitted(ask)))
        api.get("conversations/:conversation", use: signedIn(conversation))
        api.post("conversations/:conversation/messages", use: signedIn(admitted(ask)))
        api.patch("conversations/:conversation", use: signedIn(rename))
        api.delete("conversations/:conversation", use: signedIn(remove))
        api.get("answers/:answer/events", use: signedIn(follow))
        api.post("answers/:answer/stop", use: signedIn(counted(stop)))
    }

    /// A handler of a POST under /chat, which counts against the rate limit of the pages, and is refused over it.
    private func admitted(
        _ handler: @escaping @Sendable (Visit) async throws -> Response
    ) -> @Sendable (Visit) async throws -> Response {
        { visit in
            let standing = await count(visit)
            if standing.isRefused { throw PageProblem.rateLimited(retryAfter: standing.resetSeconds) }
            return try await handler(visit)
        }
    }

    /// A handler of a POST under /chat that counts, too, while there is room, but works first and always.
    private func counted(
        _ handler: @escaping @Sendable (Visit) async throws -> Response
    ) -> @Sendable (Visit) async throws -> Response {
        { visit in
            let response = try await handler(visit)
            _ = await count(visit)
            return response
        }
    }

    private func count(_ visit: Visit) async -> RateLimitStanding {
        await limiter.admit(visit.person.id, .chat, configuration().rateLimiting.limits)
    }

    /// A handler that only runs for someone who is logged in.
    func signedIn(
        _ handler: @escaping @Sendable (Visit) async throws -> Response
    ) -> @Sendable (Request, WebContext) async throws -> Response {
        { request, context in
            guard let person = try await person(of: request, context.request) else { throw PageProblem.signedOut }
            let visit = Visit(
                request: request, parameters: context.parameters, person: person, id: context.request,
                client: client(of: request, context)?.description ?? "")
            return try await handler(visit)
        }
    }
}
