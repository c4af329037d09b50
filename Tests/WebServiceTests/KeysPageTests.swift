import HTTPTypes
import NIOConcurrencyHelpers
import NIOCore
import SharedProtocol
import Testing

@testable import web_service

/// The reader's own keys and sessions.
@Suite struct KeysPageTests {
    let fixture: SiteFixture

    init() throws { fixture = try SiteFixture() }

    private var calls: [String] { fixture.services.calls.withLockedValue { $0 } }

    private func create(_ body: String) async throws -> SiteFixture.Reply {
        try await fixture.send(.post, "/keys", origin: SiteFixture.origin, body: body)
    }

    @Test(arguments: [
        ("name=a+b", "a b 0 never all"), ("name=a&cap=&last_day=", "a 0 never all"),
        ("name=a&cap=1+000&last_day=2999-12-31&models%5B%5D=dummy", "a 1000 3000-01-01T00:00:00Z [\"dummy\"]"),
        ("name=a&cap=1000000000000000", "a 1000000000000000 never all"),
    ])
    func aKeyIsMade(form: String, call: String) async throws {
        let reply = try await create(form)
        #expect(reply.status == .ok)
        #expect(reply.body.contains("sk-lumen-shown-once"))
        #expect(calls.contains("create \(call)"))
    }

    @Test func theLastDayMayBeToday() async throws {
        let today = CalendarDay(.now())
        #expect(try await create("name=a&last_day=\(today)").status == .ok)
        let end = try #require(CalendarDay.end(ofTyped: today.rawValue))
        #expect(end > .now())
        #expect(CalendarDay(Timestamp(end.rawValue - 1)) == today)
        #expect(calls.contains("create a 0 \(end.rfc3339) all"))
    }

    @Test(arguments: [
        ("name=+", "name-problem", "name has 1 to 100 characters"),
        ("name=\(String(repeating: "x", count: 101))", "name-problem", "1 to 100 characters"),
        ("name=a%E2%80%AEb", "name-problem", "no invisible controls"),
        ("name=a&cap=0", "cap-problem", "A whole number from 1"), ("name=a&cap=-1", "cap-problem", "A whole number"),
        ("name=a&cap=1e3", "cap-problem", "A whole number"),
        ("name=a&cap=1000000000000001", "cap-problem", "A whole number"),
        ("name=a&last_day=2020-01-01", "last-day-problem", "That day is over."),
        ("name=a&last_day=2999-02-30", "last-day-problem", "A day is written as"),
        ("name=a&last_day=tomorrow", "last-day-problem", "A day is written as"),
        ("name=a&models%5B%5D=secret", "models-problem", "cannot be used"),
        ("name=a&models%5B%5D=dummy&models%5B%5D=secret", "models-problem", "cannot be used"),
    ])
    func whatIsWrongIsSaidBesideTheField(form: String, problem: String, text: String) async throws {
        let reply = try await create(form)
        #expect(reply.status == .unprocessableContent)
        #expect(reply.body.contains("id=\"\(problem)\""))
        #expect(reply.body.contains(text))
        #expect(!calls.contains { $0.hasPrefix("create") })
        #expect(!reply.body.contains("sk-lumen-shown-once"))
    }

    @Test func whatWasTypedIsKeptAndEscaped() async throws {
        let reply = try await create("name=%22%3E%3Cb%3E&cap=x&last_day=2999-01-02&models%5B%5D=dummy")
        #expect(reply.body.contains(#"value="&quot;&gt;&lt;b&gt;""#))
        #expect(reply.body.contains(#"value="2999-01-02""#))
        #expect(reply.body.contains(#"value="dummy" checked"#))
    }

    @Test func whatAuthRefusesIsExplained() async throws {
        let reply = try await create("name=one+too+many&cap=5")
        #expect(reply.status == .unprocessableContent)
        #expect(reply.body.contains("You have 20 keys, and cannot have more."))
        #expect(reply.body.contains(#"value="5""#))
    }

    // MARK: Sent again

    private var creations: Int { calls.filter { $0.hasPrefix("create") }.count }

    @Test func aFormMakesOneKeyHoweverOftenItIsSent() async throws {
        let page = try await fixture.send(.get, "/keys").body
        let token = try #require(page.firstMatch(of: /name="form" value="([^"]+)"/)).1
        for _ in 0..<3 {
            let reply = try await create("name=a&form=\(token)")
            #expect(reply.status == .ok)
            #expect(reply.body.contains("sk-lumen-shown-once"))
            #expect(!reply.body.contains(token), "another key is another form's")
        }
        #expect(creations == 1)
        _ = try await create("name=a&form=another")
        #expect(creations == 2)
        _ = try await create("name=one+too+many&form=third")
        _ = try await create("name=a&form=third")
        #expect(creations == 4, "what was refused is put right")
    }

    @Test func aKeyIsShownAgainForAMinuteAndInItsSessionOnly() async throws {
        let uptime = NIOLockedValueBox(NIODeadline.now())
        let created = CreatedKeys { uptime.withLockedValue { $0 } }
        let made = NIOLockedValueBox(0)
        func secret(_ token: String, _ session: String = "s") async throws -> String? {
            let form = CreatedKeys.Form(token: token, session: CredentialHash(of: session, under: "k"))
            return try await created.key(for: form) {
                let number = made.withLockedValue { made in
                    made += 1
                    return made
                }
                return .success(Auth.NewKey(secret: "\(number)", summary: ScriptedServices.key))
            }?.secret
        }
        async let first = secret("a")
        async let second = secret("a")
        #expect(try await [first, second] == ["1", "1"], "a double click")
        #expect(try await secret("a", "another") == "2")
        uptime.withLockedValue { $0 = $0 + .seconds(60) }
        #expect(try await secret("a") == nil)
        #expect(try await secret("b") == "3")
        for number in 0..<CreatedKeys.mostForms { _ = try await secret("more \(number)") }
        #expect(try await secret("more \(CreatedKeys.mostForms - 1)") == "\(CreatedKeys.mostForms + 3)")
        #expect(try await secret("b") == "\(CreatedKeys.mostForms + 4)", "forgotten, as memory has a limit")
    }

    @Test func theListMarksKeysThatHaveExpired() async throws {
        fixture.services.keys.withLockedValue { keys in
            keys = [Timestamp(1_000_000_000_000), Timestamp(99_000_000_000_000), nil].enumerated().map {
                Auth.KeySummary(
                    id: KeyID(Int64($0.offset)), name: "k\($0.offset)", hint: "sk-lumen-Ab…yZ", expires: $0.element,
                    models: $0.offset == 0 ? ["<m>", "n"] : nil, created: Timestamp(0), lastUsed: Timestamp(1))
            }
        }
        let reply = try await fixture.send(.get, "/keys")
        #expect(reply.body.matches(of: />Expired</).count == 1)
        #expect(reply.body.contains("2001-09-09 01:46:40 UTC") && reply.body.contains("never"))
        #expect(reply.body.contains("&lt;m&gt;, n"))
    }

    @Test func withTheLedgerAwayKeysCanBeMadeAllTheSame() async throws {
        fixture.services.isLedgerAway.withLockedValue { $0 = true }
        #expect(try await !fixture.send(.get, "/keys").body.contains("models[]"))
        #expect(try await create("name=a").status == .ok)
        #expect(try await create("name=a&models%5B%5D=dummy").status == .unprocessableContent)
    }

    // MARK: Sessions

    @Test func sessionsAreShownAndEnded() async throws {
        fixture.services.sessions.withLockedValue { sessions in
            sessions = [true, false].map { isCurrent in
                Auth.SessionSummary(
                    id: SessionID(isCurrent ? "here" : "there"),
                    browser: Auth.Browser(
                        address: isCurrent ? "192.0.2.7" : "",
                        agent: isCurrent ? "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0" : "<script>"),
                    opened: Timestamp(0), seen: Timestamp(1_700_000_000_000), isCurrent: isCurrent)
            }
        }
        let reply = try await fixture.send(.get, "/sessions")
        #expect(calls.contains("sessions 1 known"))
        #expect(reply.body.contains("Firefox on Linux") && reply.body.contains("192.0.2.7"))
        #expect(reply.body.contains("title=\"&lt;script&gt;\">Unknown browser"))
        #expect(reply.body.contains("this one"))
        #expect(reply.body.contains("/sessions/there/end") && !reply.body.contains("/sessions/here/end"))
        let ended = try await fixture.send(.post, "/sessions/there/end", origin: SiteFixture.origin)
        #expect(ended.headers[.location] == "/sessions?done=ended")
        let others = try await fixture.send(.post, "/sessions/end-others", origin: SiteFixture.origin)
        #expect(others.headers[.location] == "/sessions?done=others-ended")
        #expect(calls.contains("end 1 there") && calls.contains("end others 1 true"))
    }

    @Test(arguments: [
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0) Version/19.0 Safari/604.1", "Safari on iPhone"),
        ("curl/8.0", "curl"), ("Something (Linux)", "A browser on Linux"), ("", "Unknown browser"),
    ])
    func browsersAreNamed(agent: String, text: String) {
        #expect(BrowserLabel(agent: agent).text == text)
    }
}
