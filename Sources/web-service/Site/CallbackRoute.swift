import Hummingbird
import SharedProtocol

/// Takes people back from the identity provider at the path of `oauth2.redirect_uri`, which a reload may change.
struct CallbackRoute: RouterMiddleware {
    typealias Context = WebContext

    let site: Site

    func handle(
        _ request: Request, context: WebContext, next: @concurrent (Request, WebContext) async throws -> Response
    ) async throws -> Response {
        let path = site.configuration().oauth2?.redirectURI.path
        guard request.method == .get, request.uri.path == path else { return try await next(request, context) }
        return try await site.finishLogin(request, context)
    }
}
