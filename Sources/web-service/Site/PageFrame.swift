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

    struct PersonLabel: Sendable {
        var name: String
        var email: String
    }

    struct Link: Sendable {
        var path: String
        var name: String
        var isCurrent: Bool
    }

    private static let navigation = [
        ("/chat", "Chat"), ("/models", "Models"), ("/keys", "API keys"), ("/usage", "Usage"),
    ]

    init(_ site: Site, title: String, person: Auth.Person?, path: String) {
        let app = site.configuration().app
        self.title = title.isEmpty ? nil : title
        siteName = app.name
        tagline = app.tagline
        announcement = app.announcement.isEmpty ? nil : app.announcement
        hasLogo = app.logo != nil
        assets = site.assets.prefix
        vendor = site.vendor.isEmpty ? nil : site.vendor.prefix
        self.person = person.map { PersonLabel(name: $0.name.isEmpty ? $0.email : $0.name, email: $0.email) }
        links = Self.navigation.map { Link(path: $0.0, name: $0.1, isCurrent: path.hasPrefix($0.0)) }
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

    func page(_ template: String, title: String, _ content: some Sendable, for visit: Visit) -> Response {
        page(template, title: title, content, for: visit.person, at: visit.request.uri.path)
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
