import HTTPTypes
import Hummingbird
import SharedProtocol

extension Site {
    /// How long a page waits for auth when auth waits for the identity provider: for one answer of 5 s before the way there,
    /// for at most four after it.
    static let loginTimeouts = (begin: Duration.seconds(8), finish: Duration.seconds(30))
    /// Attempts to log in, and attempts that failed, of one address: a whole lecture hall may be behind it.
    static let loginLimits = [RateLimit(count: 120, windowSeconds: 60)]

    /// The front page; whoever is logged in goes to the chat. It is shown even while auth is away.
    func landing(_ request: Request, _ context: WebContext) async throws -> Response {
        let person = try? await person(of: request, context.request)
        if person != nil { return .redirect(to: "/chat") }
        return page("landing", title: "", LandingPage(), for: nil, at: "/")
    }

    /// Sends the browser to the identity provider, or logs in as `app.dev_user` at once.
    func login(_ request: Request, _ context: WebContext) async throws -> Response {
        let next = request.uri.queryParameters["next"].flatMap { SitePath(String($0)) } ?? .chat
        return configuration().app.devUser == nil
            ? try await beginLogin(next, request, context) : try await devLogin(next, request, context)
    }

    private func beginLogin(
        _ next: SitePath, _ request: Request, _ context: WebContext
    ) async throws -> Response {
        if let seconds = logins.admit(client(of: request, context)) {
            throw PageProblem.rateLimited(retryAfter: seconds)
        }
        let beginning = try await auth.call(
            Auth.BeginLogin(next: next.description), request: context.request, timeout: Self.loginTimeouts.begin)
        switch beginning {
        case .refused(let refusal): return loginRefused(refusal, next: next, context)
        case .begun(let attempt):
            var response = Response.redirect(to: attempt.authorizeURL)
            response.headers[values: .setCookie] = loginCookies.setting(attempt, in: request.head)
            return response
        }
    }

    /// Where the identity provider sends the browser back to.
    func finishLogin(_ request: Request, _ context: WebContext) async throws -> Response {
        let client = client(of: request, context)
        if let seconds = logins.refusal(for: client) { throw PageProblem.rateLimited(retryAfter: seconds) }
        func query(_ name: String) -> String? { request.uri.queryParameters[name[...]].map(String.init) }
        let answer = Auth.ProviderAnswer(
            state: query("state"), code: query("code"), error: query("error"), issuer: query("iss"))
        let attempt = answer.state.flatMap { LoginAttemptID(state: $0) }
        let cookie = attempt.flatMap { loginCookies.value(of: $0, in: request.head) }
        let end = try await auth.call(
            Auth.FinishLogin(
                answer: answer, cookie: cookie, previous: sessionHash(of: request),
                browser: browser(of: request, context)),
            request: context.request, timeout: Self.loginTimeouts.finish)
        var response: Response
        switch end {
        case .opened(let opened, let next):
            response = .redirect(to: (SitePath(next) ?? .chat).description)
            response.headers[.setCookie] = self.cookie.setting(opened.secret)
        case .refused(let refusal, let next):
            logins.failed(from: client)
            response = loginRefused(refusal, next: next.flatMap { SitePath($0) } ?? .chat, context)
        }
        if let attempt, cookie != nil {
            response.headers[values: .setCookie].append(loginCookies.clearing(attempt))
        }
        return response
    }

    private func devLogin(_ next: SitePath, _ request: Request, _ context: WebContext) async throws -> Response {
        guard OriginCheck(origin: origin).allowsLogin(request.head) else {
            return page("login", title: "Log in", LoginPage(next: next.percentEncoded), for: nil, at: "/login")
        }
        let opened = try await auth.call(
            Auth.DevLogin(browser: browser(of: request, context)), request: context.request, timeout: Self.callTimeout)
        var response = Response.redirect(to: next.description)
        response.headers[.setCookie] = cookie.setting(opened.secret)
        // A session that was open before ends: nobody could reach it any more to log it out.
        if let old = sessionHash(of: request) {
            _ = try? await auth.call(
                Auth.CloseSession(session: old), request: context.request, timeout: Self.callTimeout)
        }
        return response
    }

    /// Ends the session. If auth is away the browser forgets it anyway, and it ends by its own lifetime.
    func logout(_ request: Request, _ context: WebContext) async -> Response {
        if let session = sessionHash(of: request) {
            _ = try? await auth.call(
                Auth.CloseSession(session: session), request: context.request, timeout: Self.callTimeout)
        }
        var response = Response.redirect(to: "/")
        response.headers[.setCookie] = cookie.clearing
        return response
    }

    /// Where a request comes from, so that the owner of a session recognises it.
    private func browser(of request: Request, _ context: WebContext) -> Auth.Browser {
        Auth.Browser(
            address: client(of: request, context)?.description ?? "", agent: request.headers[.userAgent] ?? "")
    }
}

private struct LandingPage: Sendable {}

private struct LoginPage: Sendable {
    /// Where to go after the login.
    var next: String
}
