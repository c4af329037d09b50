import HTTPTypes
import NIOConcurrencyHelpers
import SharedProtocol
import Testing

@testable import web_service

@Suite struct LoginPagesTests {
    private let fixture: SiteFixture

    init() throws { fixture = try SiteFixture(devUser: nil) }

    private func cookies(_ reply: SiteFixture.Reply) -> [String] { reply.headers[values: .setCookie] }

    private func callback(
        _ query: String = "state=abcdefgh1&code=c", cookie: String? = "__Host-lumen-login-abcdefgh=attempt",
        headers: HTTPFields = [:]
    ) async throws -> SiteFixture.Reply {
        var headers = headers
        headers[.cookie] = cookie
        return try await fixture.send(.get, "/callback?\(query)", session: nil, headers: headers)
    }

    @Test func loginLeadsToTheProviderWithACookieOfItsOwn() async throws {
        let reply = try await fixture.send(.get, "/login?next=/usage%3Fmonth%3Dall", session: nil)
        #expect(reply.status == .seeOther)
        #expect(reply.headers[.location] == ScriptedServices.attempt.authorizeURL)
        #expect(
            cookies(reply) == [
                "__Host-lumen-login-abcdefgh=attempt; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=600"
            ])
        #expect(fixture.services.calls.withLockedValue { $0 } == ["begin /usage?month=all"])
    }

    @Test(arguments: ["https://evil.example", "//evil.example", "/%5Cevil.example", ""])
    func loginNeverLeadsElsewhere(next: String) async throws {
        _ = try await fixture.send(.get, "/login?next=\(next)", session: nil)
        #expect(fixture.services.calls.withLockedValue { $0 } == ["begin /chat"])
        fixture.services.loginNext.withLockedValue { $0 = "//evil.example" }
        #expect(try await callback().headers[.location] == "/chat")
    }

    @Test func theOldestAttemptsMakeRoom() async throws {
        let open = (0..<6).map { "__Host-lumen-login-attempt\($0)=x" }.joined(separator: "; ")
        let reply = try await fixture.send(.get, "/login", session: nil, headers: [.cookie: "a=b; \(open)"])
        #expect(cookies(reply).count == 3)
        for number in 0...1 {
            #expect(cookies(reply)[number].hasPrefix("__Host-lumen-login-attempt\(number)=; "))
            #expect(cookies(reply)[number].hasSuffix("Max-Age=0"))
        }
    }

    @Test func theCallbackPassesOnWhatCameAndOpensTheSession() async throws {
        let reply = try await callback(
            "state=abcdefgh1&code=a%2Bb%26c&iss=https%3A%2F%2Fidp", headers: [.userAgent: "Browser/1"])
        #expect(reply.status == .seeOther)
        #expect(reply.headers[.location] == "/usage")
        #expect(
            cookies(reply) == [
                "__Host-lumen=fresh; Path=/; HttpOnly; SameSite=Lax; Secure",
                "__Host-lumen-login-abcdefgh=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0",
            ])
        let call = try #require(fixture.services.finished.withLockedValue { $0 })
        #expect(
            call.answer
                == Auth.ProviderAnswer(state: "abcdefgh1", code: "a+b&c", error: nil, issuer: "https://idp"))
        #expect(call.cookie == "attempt")
        #expect(call.previous == nil)
        #expect(call.browser.agent == "Browser/1")
    }

    @Test func aSessionThatWasOpenBeforeIsHandedOver() async throws {
        _ = try await callback(cookie: "__Host-lumen=good; __Host-lumen-login-abcdefgh=attempt")
        #expect(fixture.services.finished.withLockedValue { $0?.previous } != nil)
    }

    @Test(arguments: [
        nil, "__Host-lumen-login-other123=attempt", "lumen-login-abcdefgh=attempt",
        "__Host-lumen-login-abcdefgh=a; __Host-lumen-login-abcdefgh=b",
    ])
    func onlyTheAttemptsOwnCookieCounts(cookie: String?) async throws {
        let reply = try await callback(cookie: cookie)
        #expect(fixture.services.finished.withLockedValue { $0?.cookie } == nil)
        // Nothing was there to be cleared.
        #expect(cookies(reply).count == 1)
    }

    @Test(arguments: Auth.LoginRefusal.allCases)
    func everyRefusalHasAPageThatLetsOneTryAgain(refusal: Auth.LoginRefusal) async throws {
        fixture.services.loginRefusal.withLockedValue { $0 = refusal }
        let reply = try await callback()
        #expect(400...599 ~= reply.status.code)
        #expect(reply.status != .internalServerError)
        #expect(reply.body.contains(#"href="/login?next=/usage""#))
        #expect(reply.body.contains(refusal.rawValue))
        #expect(reply.headers[.requestID].map { reply.body.contains($0) } == true)
        #expect(cookies(reply).allSatisfy { $0.contains("Max-Age=0") })
        #expect(reply.headers[.contentSecurityPolicy] == SecurityHeaders.contentSecurityPolicy)
    }

    @Test func everyRefusalSaysSomethingElse() async throws {
        var texts: Set<String> = []
        for refusal in Auth.LoginRefusal.allCases {
            fixture.services.loginRefusal.withLockedValue { $0 = refusal }
            let body = try await callback().body
            texts.insert(String(body.split(separator: "<p>").dropFirst().first ?? ""))
        }
        #expect(texts.count == Auth.LoginRefusal.allCases.count)
    }

    @Test func aProviderThatIsDownIsSaidAtTheBeginning() async throws {
        fixture.services.loginRefusal.withLockedValue { $0 = .providerUnavailable }
        let reply = try await fixture.send(.get, "/login?next=/keys", session: nil)
        #expect(reply.status == .serviceUnavailable)
        #expect(reply.body.contains(#"href="/login?next=/keys""#))
        #expect(cookies(reply).isEmpty)
    }

    @Test func whileAuthIsAwayThePageSaysSo() async throws {
        fixture.services.isAway.withLockedValue { $0 = true }
        #expect(try await fixture.send(.get, "/login", session: nil).status == .serviceUnavailable)
        let reply = try await callback()
        #expect(reply.status == .serviceUnavailable)
        // The attempt can come back once auth is there again.
        #expect(cookies(reply).isEmpty)
    }

    @Test func theCallbackIsWhereTheConfigurationSaysAndOnlyForGET() async throws {
        #expect(try await fixture.send(.post, "/callback?state=x", session: nil).status == .notFound)
        fixture.configuration.withLockedValue { configuration in
            if let address = WebAddress("https://lumen.example.edu/oauth/back") {
                configuration.oauth2?.redirectURI = address
            }
        }
        #expect(try await callback().status == .notFound)
        let reply = try await fixture.send(.get, "/oauth/back?state=abcdefgh1&code=c", session: nil)
        #expect(reply.status == .seeOther)
    }
}
