import HTTPTypes
import SharedProtocol

/// Keeps other sites from acting with a visitor's session (CSRF). A browser says where a request comes from, and no page can
/// change what it says; so there is no token that could expire under an open tab.
struct OriginCheck: Sendable {
    let origin: WebOrigin

    /// Whether the request may change something.
    ///
    /// - Parameter hasSession: it carries our cookie; without one there is nothing to misuse.
    func allows(_ request: HTTPRequest, hasSession: Bool) -> Bool {
        if Self.safeMethods.contains(request.method) || !hasSession { return true }
        if let origin = request.headerFields[.origin] { return origin == self.origin.description }
        return request.headerFields[.secFetchSite] == "same-origin"
    }

    /// Whether a request that has no session yet may open one. `none`: typed into the address bar, or a bookmark. A browser
    /// too old to say is let in: Login by GET only ever logs in as `app.dev_user`.
    func allowsLogin(_ request: HTTPRequest) -> Bool {
        guard let site = request.headerFields[.secFetchSite] else { return true }
        return site == "same-origin" || site == "none"
    }

    private static let safeMethods: Set<HTTPRequest.Method> = [.get, .head, .options]
}
