import HTTPTypes
import Hummingbird
import SharedProtocol

extension Site {
    /// The front page; whoever is logged in goes to the chat. It is shown even while auth is away.
    func landing(_ request: Request, _ context: WebContext) async throws -> Response {
        let person = try? await person(of: request, context.request)
        if person != nil { return .redirect(to: "/chat") }
        return page("landing", title: "", LandingPage(), for: nil, at: "/")
    }

    /// Logs in as `app.dev_user`. With an identity provider the way there begins here; until that is built, the page
    /// says so.
    func login(_ request: Request, _ context: WebContext) async throws -> Response {
        let next = request.uri.queryParameters["next"].flatMap { SitePath(String($0)) } ?? .chat
        guard configuration().app.devUser != nil else {
            return page(
                "login", title: "Log in", LoginPage(next: nil), for: nil, at: "/login", status: .serviceUnavailable)
        }
        guard OriginCheck(origin: origin).allowsLogin(request.head) else {
            return page("login", title: "Log in", LoginPage(next: next.percentEncoded), for: nil, at: "/login")
        }
        let opened = try await auth.call(Auth.DevLogin(), request: context.request, timeout: Self.callTimeout)
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
}

private struct LandingPage: Sendable {}

private struct LoginPage: Sendable {
    /// Where to go after the login; nil when nobody can log in.
    var next: String?
}
