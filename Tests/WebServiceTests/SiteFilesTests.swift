import HTTPTypes
import SharedProtocol
import Testing

@testable import web_service

@Suite struct SiteFilesTests {
    let fixture: SiteFixture

    init() throws { fixture = try SiteFixture() }

    @Test func filesAreKeptForeverUnderTheirFingerprintOnly() async throws {
        let files = SiteFiles("assets", folder: ProgramFolder.resources + "/static")
        let reply = try await fixture.send(.get, files.prefix + "/site.css", session: nil)
        #expect(reply.status == .ok)
        #expect(reply.headers[.contentType] == "text/css; charset=utf-8")
        #expect(reply.headers[.cacheControl] == "public, max-age=31536000, immutable")
        let old = try await fixture.send(.get, "/assets/0123456789abcdef/site.css", session: nil)
        #expect(old.headers[.cacheControl] == "no-cache")
        let tag = try #require(reply.headers[.eTag])
        let again = try await fixture.send(
            .get, files.prefix + "/site.css", session: nil, headers: [.ifNoneMatch: tag])
        #expect(again.status == .notModified)
        #expect(again.body.isEmpty)
    }

    @Test(arguments: [
        "/assets/x/../templates/layout.mustache", "/assets/x/%2e%2e/templates/layout.mustache", "/assets/x/",
        "/assets/x//etc/passwd", "/assets/x/..%2ftemplates%2flayout.mustache", "/vendor/x/no-such-file.js",
    ])
    func nothingOutsideTheFolderIsServed(path: String) async throws {
        #expect(try await fixture.send(.get, path, session: nil).status == .notFound)
    }

    @Test func aMissingFolderIsEmpty() {
        #expect(SiteFiles("vendor", folder: "/nowhere").isEmpty)
    }

    @Test func everyTemplateNamesOnlyFilesThatExist() async throws {
        let files = SiteFiles("assets", folder: ProgramFolder.resources + "/static")
        let pages = try await [
            fixture.send(.get, "/", session: nil).body, fixture.send(.get, "/chat").body,
        ]
        for page in pages {
            let names = page.matches(of: /\/assets\/[0-9a-f]+\/([a-z.-]+)"/).map { String($0.1) }
            #expect(names.count >= 3)
            for name in names { #expect(files.file(name) != nil) }
        }
    }

    @Test func noPageHasAnInlineScriptOrStyle() async throws {
        for path in ["/chat", "/models", "/keys", "/usage", "/nothing"] {
            let body = try await fixture.send(.get, path).body
            #expect(!body.contains(" style="))
            #expect(!body.contains("<style"))
            #expect(!body.contains(/\son[a-z]+=/))
            #expect(body.matches(of: /<script(?![^>]* src=)/).isEmpty)
        }
    }
}
