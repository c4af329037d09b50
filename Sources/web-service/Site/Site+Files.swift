import HTTPTypes
import Hummingbird
import SharedProtocol

extension Site {
    /// A file of the site. Under its fingerprint it may be kept for a year; under an old one, of a page that was open
    /// during an update, only until it is asked for again.
    func file(
        of files: SiteFiles, _ request: Request, _ context: some RequestContext
    ) async throws -> Response {
        let path = context.parameters.getCatchAll().joined(separator: "/")
        guard let file = files.file(path) else { throw PageProblem.notFound }
        let isCurrent = context.parameters.get("version") == files.fingerprint
        let tag = "\"\(files.fingerprint)\""
        var headers: HTTPFields = [
            .eTag: tag, .contentType: file.type,
            .cacheControl: isCurrent ? "public, max-age=31536000, immutable" : "no-cache",
        ]
        if request.headers[.ifNoneMatch] == tag {
            headers[.contentType] = nil
            return Response(status: .notModified, headers: headers)
        }
        return Response(
            status: .ok, headers: headers, body: try await FileIO().loadFile(path: file.path, context: context))
    }

    /// The configured colour, which no page may carry inline.
    func theme() -> Response {
        let colour = configuration().app.accentColour
        let css = colour.map { ":root { --accent: \($0); }\n" } ?? ""
        return Response(
            status: .ok, headers: [.contentType: "text/css; charset=utf-8", .cacheControl: "max-age=60"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: css)))
    }

    /// The configured image.
    func logo(_ context: some RequestContext) async throws -> Response {
        let types = [
            "svg": "image/svg+xml", "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg",
            "webp": "image/webp", "gif": "image/gif",
        ]
        guard let path = configuration().app.logo, let ending = path.split(separator: ".").last,
            let type = types[ending.lowercased()]
        else { throw PageProblem.notFound }
        return Response(
            status: .ok, headers: [.contentType: type, .cacheControl: "max-age=3600"],
            body: try await FileIO().loadFile(path: path, context: context))
    }
}
