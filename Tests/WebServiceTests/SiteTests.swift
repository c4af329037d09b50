import HTTPTypes
import NIOConcurrencyHelpers
import SharedProtocol
import Testing

@testable import web_service

@Suite struct SiteTests {
    let fixture: SiteFixture

    init() throws { fixture = try SiteFixture() }

    @Test(arguments: ["/", "/login", "/chat", "/chat/none", "/models", "/keys", "/usage", "/nothing", "/assets/x/y"])
    func everyPageCarriesTheSecurityHeaders(path: String) async throws {
        let reply = try await fixture.send(.get, path)
        #expect(reply.headers[.contentSecurityPolicy] == SecurityHeaders.contentSecurityPolicy)
        #expect(reply.headers[.xContentTypeOptions] == "nosniff")
        #expect(reply.headers[.strictTransportSecurity] != nil)
        #expect(reply.headers[.requestID]?.hasPrefix("req_") == true)
    }

    @Test func thePolicyAllowsNothingInlineAndNoOtherHost() {
        let policy = SecurityHeaders.contentSecurityPolicy
        for word in ["unsafe", "http:", "https:", "*", "blob:"] { #expect(!policy.contains(word)) }
        #expect(policy.hasPrefix("default-src 'none'; script-src 'self';"))
    }

    @Test(arguments: ["/chat", "/models", "/keys", "/usage", "/sessions"])
    func aPageOfSomeonesSendsStrangersToTheLogin(path: String) async throws {
        for session in [nil, "forged"] {
            let reply = try await fixture.send(.get, path, session: session)
            #expect(reply.status == .seeOther)
            #expect(reply.headers[.location] == "/login?next=\(path)")
        }
    }

    @Test(arguments: [
        "/chat/api/account", "/chat/api/conversations", "/chat/api/conversations/x", "/chat/api/answers/x/events",
    ])
    func theChatsJSONIsNobodysEither(path: String) async throws {
        let reply = try await fixture.send(.get, path, session: nil)
        #expect(reply.status == .unauthorized)
        #expect(reply.headers[.contentType] == "application/json")
    }

    @Test func loginSetsAHostOnlyCookieAndGoesBack() async throws {
        let reply = try await fixture.send(.get, "/login?next=/usage%3Fbefore%3D3", session: nil)
        #expect(reply.status == .seeOther)
        #expect(reply.headers[.location] == "/usage?before=3")
        #expect(reply.headers[.setCookie] == "__Host-lumen=fresh; Path=/; HttpOnly; SameSite=Lax; Secure")
    }

    @Test(arguments: ["https://evil.example", "//evil.example", "/%5Cevil.example", "/a%0d%0aSet-Cookie:x=1", ""])
    func loginNeverLeadsElsewhere(next: String) async throws {
        let reply = try await fixture.send(.get, "/login?next=\(next)", session: nil)
        #expect(reply.headers[.location] == "/chat")
    }

    @Test func anotherSiteCannotLogSomeoneIn() async throws {
        let reply = try await fixture.send(
            .get, "/login", session: nil, headers: [.secFetchSite: "cross-site"])
        #expect(reply.status == .ok)
        #expect(reply.headers[.setCookie] == nil)
        #expect(!fixture.services.calls.withLockedValue { $0.contains("login") })
    }

    @Test func aNewLoginEndsTheOldSession() async throws {
        _ = try await fixture.send(.get, "/login", session: "good")
        #expect(fixture.services.calls.withLockedValue { $0 } == ["login", "close"])
    }

    @Test func logoutIsAPostAndForgetsTheCookie() async throws {
        #expect(try await fixture.send(.get, "/logout").status == .notFound)
        let reply = try await fixture.send(.post, "/logout", origin: SiteFixture.origin)
        #expect(reply.headers[.setCookie]?.contains("Max-Age=0") == true)
        #expect(fixture.services.calls.withLockedValue { $0 } == ["close"])
    }

    @Test(arguments: [
        (HTTPRequest.Method.post, "/logout"), (.post, "/keys"), (.post, "/keys/7/revoke"),
        (.post, "/sessions/end-others"), (.post, "/sessions/x/end"),
        (.post, "/chat/api/conversations"), (.post, "/chat/api/conversations/x/messages"),
        (.patch, "/chat/api/conversations/x"), (.delete, "/chat/api/conversations/x"),
        (.post, "/chat/api/answers/x/stop"),
    ])
    func anotherSiteChangesNothing(method: HTTPRequest.Method, path: String) async throws {
        for origin in ["https://evil.example", "null", nil] {
            let reply = try await fixture.send(method, path, origin: origin, body: "name=x")
            #expect(reply.status == .forbidden)
        }
        #expect(fixture.services.calls.withLockedValue { $0.isEmpty })
    }

    @Test func aKeyIsShownOnceAndNamesAreEscaped() async throws {
        let created = try await fixture.send(.post, "/keys", origin: SiteFixture.origin, body: "name=a+b")
        #expect(created.body.contains("sk-lumen-shown-once"))
        #expect(created.headers[.cacheControl] == "no-store")
        let list = try await fixture.send(.get, "/keys")
        #expect(!list.body.contains("sk-lumen-shown-once"))
        #expect(list.body.contains("&lt;i&gt;laptop&lt;/i&gt;"))
        #expect(!list.body.contains("<i>laptop"))
        #expect(!list.body.contains("Ada <b>"))
        #expect(list.body.contains("Lumen &amp; Co"))
    }

    /// A name may be in Arabic, but turns nothing around that stands beside it.
    @Test func controlsOfTheWritingDirectionAreInNoPage() async throws {
        let controls = "\u{61C}\u{200E}\u{200F}\u{202A}\u{202E}\u{2066}\u{2069}"
        fixture.services.keys.withLockedValue { keys in
            keys[0].name = "a\(controls)b \u{627}\u{202F}1"
        }
        let page = try await fixture.send(.get, "/keys")
        #expect(page.body.contains("ab \u{627}\u{202F}1"))
        #expect(!page.body.unicodeScalars.contains { $0.properties.isBidiControl })
    }

    @Test func revokingGoesBackToTheList() async throws {
        let reply = try await fixture.send(.post, "/keys/7/revoke", origin: SiteFixture.origin)
        #expect(reply.status == .seeOther)
        #expect(reply.headers[.location] == "/keys")
        #expect(fixture.services.calls.withLockedValue { $0.contains("revoke 7") })
    }

    @Test func balancesAreShownInGroups() async throws {
        let reply = try await fixture.send(.get, "/usage")
        #expect(reply.body.contains("1\u{202F}234\u{202F}567"))
        #expect(reply.body.contains("50 an hour"))
    }

    @Test func withTheServicesAwayPagesSaySoAndLeakNothing() async throws {
        fixture.services.isAway.withLockedValue { $0 = true }
        let usage = try await fixture.send(.get, "/usage")
        #expect(usage.status == .ok)
        #expect(usage.body.contains("not available at the moment"))
        #expect(try await fixture.send(.get, "/models").body.contains("Budgets cannot be read"))
        let keys = try await fixture.send(.get, "/keys")
        #expect(keys.status == .serviceUnavailable)
        #expect(keys.headers[.retryAfter] != nil)
        #expect(keys.body.contains("Not available at the moment"))
        #expect(!keys.body.contains("/secret/path"))
        #expect(keys.body.contains(#"<a href="">Try again</a>"#))
        let account = try await fixture.send(.get, "/chat/api/account")
        #expect(account.body.contains(#""isAvailable":false"#))
    }

    /// Every POST under /chat counts; a question over the limit is refused, and a Stop never is.
    @Test func postsOfTheChatCountAndAStopAlwaysWorks() async throws {
        let fixture = try SiteFixture(limit: "2 per hour")
        let turn = try await fixture.temporary.begin("Hello")
        func post(_ path: String) async throws -> SiteFixture.Reply {
            let body = #"{"text":"Hello","model":"dummy"}"#
            return try await fixture.send(.post, "/chat/api/" + path, origin: SiteFixture.origin, body: body)
        }
        #expect(try await post("answers/\(turn.answerID)/stop").status == .ok)
        #expect(try await post("conversations").status == .created)
        let refused = try await post("conversations")
        #expect(refused.status == .tooManyRequests)
        let seconds = try #require(refused.headers[.retryAfter].flatMap { Int($0) })
        #expect(1...3_600 ~= seconds)
        #expect(refused.body.contains("Too many requests. Try again in \(seconds) s."))
        #expect(try await post("answers/\(turn.answerID)/stop").status == .ok)
        let renamed = try await fixture.send(
            .patch, "/chat/api/conversations/\(turn.conversation)", origin: SiteFixture.origin,
            body: #"{"title":"New"}"#)
        #expect(renamed.status == .ok)
    }

    @Test func aDisabledAccountSeesWhy() async throws {
        fixture.services.isDisabled.withLockedValue { $0 = true }
        let reply = try await fixture.send(.get, "/chat")
        #expect(reply.status == .forbidden)
        #expect(reply.body.contains("disabled"))
    }

    @Test func whoIsLoggedInKeepsTheNavigationWhenSomethingGoesWrong() async throws {
        let reply = try await fixture.send(.get, "/usage?month=none")
        #expect(reply.status == .badRequest)
        #expect(reply.body.contains(#"<a href="/keys">"#) && reply.body.contains("Log out"))
        #expect(!reply.body.contains("Try again"))
        let stranger = try await fixture.send(.post, "/keys", session: nil)
        #expect(stranger.status == .unauthorized)
        #expect(!stranger.body.contains("Log out"))
    }

    @Test func unknownPathsAreAnsweredInTheSitesLook() async throws {
        for path in ["/nothing", "/chat/a/b/c", "/keys/x/y/z", "/%2e%2e/etc/passwd"] {
            let reply = try await fixture.send(.get, path)
            #expect(reply.status == .notFound)
            #expect(reply.body.contains("Lumen &amp; Co"))
        }
        #expect(try await fixture.send(.get, "/chat/api/nothing").body == #"{"problem":"There is no such page."}"#)
    }
}
