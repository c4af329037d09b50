import HTTPTypes
import Hummingbird
import Logging
import SharedProtocol

/// Stands before every page: refuses what another site asks for, turns errors into pages or JSON, and adds the security
/// headers to whatever goes out.
struct PageGate: RouterMiddleware {
    typealias Context = WebContext

    let site: Site
    private let headers: SecurityHeaders
    private let originCheck: OriginCheck

    init(_ site: Site) {
        self.site = site
        headers = SecurityHeaders(for: site.origin)
        originCheck = OriginCheck(origin: site.origin)
    }

    func handle(
        _ request: Request, context: WebContext, next: @concurrent (Request, WebContext) async throws -> Response
    ) async throws -> Response {
        var response: Response
        do {
            let hasSession = site.cookie.secret(in: request.head) != nil
            guard originCheck.allows(request.head, hasSession: hasSession) else { throw crossSite }
            response = try await next(request, context)
        } catch let problem as VisitProblem {
            response = self.problem(problem.error, request, context, person: problem.person)
        } catch {
            response = problem(error, request, context)
        }
        headers.add(to: &response.headers)
        response.headers[.requestID] = context.request.rawValue
        return response
    }

    private var crossSite: PageProblem {
        PageProblem(
            .forbidden, "That came from another site",
            "The request was not made by a page of \(site.origin). Open the site at that address and try again.")
    }

    /// - Parameter person: who is logged in, for the navigation; nil when nobody is, or it is not known.
    private func problem(
        _ error: any Error, _ request: Request, _ context: WebContext, person: Auth.Person? = nil
    ) -> Response {
        let problem = PageProblem(error)
        if problem.status.code >= 500 {
            context.logger.error(
                "A page could not be made.",
                metadata: [
                    "request_id": "\(context.request)", "path": "\(request.uri.path)",
                    "reason": "\(Self.reason(error))",
                ])
        }
        var response: Response
        if request.uri.path.hasPrefix("/chat/api/") {
            response =
                (try? site.json(ProblemBody(problem: problem.message), status: problem.status))
                ?? Response(status: problem.status)
        } else if problem == .signedOut, [.get, .head].contains(request.method),
            let path = SitePath(request.head.path ?? "/")
        {
            response = .redirect(to: "/login?next=\(path.percentEncoded)")
        } else {
            response = site.page(
                "problem", title: problem.title, ProblemPage(problem, isGet: request.method == .get),
                for: problem == .signedOut ? nil : person, at: request.uri.path, status: problem.status)
        }
        if let seconds = problem.retryAfter { response.headers[.retryAfter] = String(seconds) }
        return response
    }

    /// The type only, unless it is one of ours: foreign errors may carry what a visitor typed.
    private static func reason(_ error: any Error) -> String {
        (error as? CallError).map { "\($0.code): \($0.message)" } ?? "\(type(of: error))"
    }
}

private struct ProblemBody: Encodable {
    var problem: String
}

private struct ProblemPage: Sendable {
    var status: Int
    var message: String
    /// The same address may work soon.
    var canRetry: Bool

    init(_ problem: PageProblem, isGet: Bool) {
        status = problem.status.code
        message = problem.message
        canRetry = isGet && problem.retryAfter != nil
    }
}
