import HTTPTypes
import Hummingbird
import SharedProtocol

/// What surrounds every page: name, banner, navigation, who is logged in.
struct PageFrame: Sendable {
    /// Absent on the front page.
    var title: String?
    var siteName: String
    var tagline: String
    var announcement: String?
    var hasLogo: Bool
    var assets: String
    var vendor: String?
    var person: PersonLabel?
    var links: [Link]
    /// Absent outside the admins' area.
    var adminArea: AdminArea?

    struct PersonLabel: Sendable {
        var name: String
        var email: String
    }

    struct Link: Sendable {
        var path: String
        var name: String
        var isCurrent: Bool
    }

    /// The navigation of the admins' area.
    struct AdminArea: Sendable {
        var pages: [Link]
    }

    private static let navigation = [
        ("/chat", "Chat"), ("/models", "Models"), ("/keys", "API keys"), ("/usage", "Usage"),
    ]

    private static let adminNavigation = [
        ("/admin", "Overview"), ("/admin/users", "Users"), ("/admin/groups", "Groups"),
        ("/admin/usage", "Usage of everyone"), ("/admin/audit", "Audit log"),
    ]

    init(_ site: Site, title: String, person: Auth.Person?, path: String) {
        let configuration = site.configuration()
        let app = configuration.app
        self.title = title.isEmpty ? nil : title
        siteName = app.name
        tagline = app.tagline
        announcement = app.announcement.isEmpty ? nil : app.announcement
        hasLogo = app.logo != nil
        assets = site.assets.prefix
        vendor = site.vendor.isEmpty ? nil : site.vendor.prefix
        self.person = person.map { PersonLabel(name: $0.name.isEmpty ? $0.email : $0.name, email: $0.email) }
        // From the list as it is now: who was an admin yesterday is not shown the way.
        let isAdmin = person.map { configuration.isAdmin($0.email) } ?? false
        let navigation = Self.navigation + (isAdmin ? [("/admin", "Admin")] : [])
        links = navigation.map { Link(path: $0.0, name: $0.1, isCurrent: path.hasPrefix($0.0)) }
        if isAdmin, path.hasPrefix("/admin") {
            adminArea = AdminArea(
                pages: Self.adminNavigation.map { link in
                    let isCurrent = link.0 == "/admin" ? path == link.0 : path.hasPrefix(link.0)
                    return Link(path: link.0, name: link.1, isCurrent: isCurrent)
                })
        }
    }
}

/// A page as its template gets it.
struct Page<Content: Sendable>: Sendable {
    var frame: PageFrame
    var content: Content
}

extension Site {
    /// A page in the site's look.
    func page(
        _ template: String, title: String, _ content: some Sendable, for person: Auth.Person?, at path: String,
        status: HTTPResponse.Status = .ok
    ) -> Response {
        let frame = PageFrame(self, title: title, person: person, path: path)
        let html = templates.render(template, Page(frame: frame, content: content))
        return Response(
            status: status, headers: [.contentType: "text/html; charset=utf-8", .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: html)))
    }

    func page(
        _ template: String, title: String, _ content: some Sendable, for visit: Visit,
        status: HTTPResponse.Status = .ok
    ) -> Response {
        page(template, title: title, content, for: visit.person, at: visit.request.uri.path, status: status)
    }

    /// JSON for the pages' own scripts.
    func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws(CallError) -> Response {
        var buffer = ByteBuffer()
        try buffer.writeJSON(value)
        return Response(
            status: status, headers: [.contentType: "application/json", .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: buffer))
    }
}
