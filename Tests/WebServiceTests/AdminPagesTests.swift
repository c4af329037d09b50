import HTTPTypes
import Logging
import NIOConcurrencyHelpers
import SharedProtocol
import Testing

@testable import web_service

@Suite struct AdminPagesTests {
    /// Ada is an admin; the list is written as people write addresses.
    let fixture: SiteFixture

    init() throws { fixture = try SiteFixture(admins: ["Ada@Example.EDU"]) }

    static let pages = [
        "/admin", "/admin/users", "/admin/users/1", "/admin/users/1/reset?pool=default", "/admin/groups",
        "/admin/groups/lab%20%26%20co", "/admin/groups/default", "/admin/groups/chem",
        "/admin/groups/lab%20%26%20co/reset", "/admin/usage",
        "/admin/audit",
    ]
    static let files = [
        "/admin/usage.csv?by=model", "/admin/audit.csv", "/admin/users/1/usage.csv", "/admin/users/1/events.csv",
    ]
    static let writes = [
        "/admin/users/1/override", "/admin/users/1/override/remove", "/admin/users/1/reset", "/admin/groups/lab/reset",
        "/admin/groups/chem/budget", "/admin/groups/chem/budget/remove",
        "/admin/users", "/admin/users/1/disable", "/admin/users/1/enable", "/admin/users/1/unlink",
        "/admin/users/1/groups", "/admin/users/1/groups/lab/leave", "/admin/users/1/keys/7/revoke", "/admin/groups",
        "/admin/groups/lab/title", "/admin/groups/lab/disable", "/admin/groups/lab/enable", "/admin/groups/lab/members",
        "/admin/groups/lab/members/1/remove",
    ]

    private var calls: [String] { fixture.services.calls.withLockedValue { $0 } }

    private func post(_ path: String, _ body: String) async throws -> SiteFixture.Reply {
        try await fixture.send(.post, path, origin: SiteFixture.origin, body: body)
    }

    // MARK: Who gets in

    @Test(arguments: pages + files)
    func strangersGoToTheLogin(path: String) async throws {
        let reply = try await fixture.send(.get, path, session: nil)
        #expect(reply.status == .seeOther)
        #expect(reply.headers[.location]?.hasPrefix("/login?next=/admin") == true)
    }

    @Test(arguments: pages + files)
    func usersAreRefused(path: String) async throws {
        fixture.configuration.withLockedValue { $0.admins = ["someone@else.edu"] }
        let reply = try await fixture.send(.get, path)
        #expect(reply.status == .forbidden)
        #expect(reply.body.contains("For admins only"))
        #expect(calls == ["resume"])
        #expect(try await !fixture.send(.get, "/usage").body.contains("href=\"/admin\""))
    }

    @Test(arguments: writes)
    func usersChangeNothing(path: String) async throws {
        fixture.configuration.withLockedValue { $0.admins = [] }
        #expect(try await post(path, "pool=default&max=1&group=g").status == .forbidden)
        #expect(calls == ["resume"])
    }

    @Test(arguments: writes)
    func anotherSiteChangesNothing(path: String) async throws {
        for origin in ["https://evil.example", nil] {
            let reply = try await fixture.send(.post, path, origin: origin, body: "pool=default&max=1&group=g")
            #expect(reply.status == .forbidden)
        }
        #expect(try await fixture.send(.get, path).status != .seeOther)
        let changes = ["set", "reset", "create", "disable", "unlink", "member", "revoke", "rename", "audit"]
        #expect(!calls.contains { call in changes.contains { call.hasPrefix($0 + " ") } })
    }

    @Test(arguments: pages)
    func adminsSeeThePageAndTheWayThere(path: String) async throws {
        let reply = try await fixture.send(.get, path)
        #expect(reply.status == .ok)
        #expect(reply.body.contains("<nav class=\"sub-head\""))
        #expect(reply.body.contains("not available") == false)
        for inline in [" style=", "<style", "onclick"] { #expect(!reply.body.contains(inline)) }
        #expect(reply.body.matches(of: /<script(?![^>]* src=)/).isEmpty)
    }

    @Test func theListIsReadWithEachRequest() async throws {
        #expect(try await fixture.send(.get, "/usage").body.contains("href=\"/admin\""))
        fixture.configuration.withLockedValue { $0.admins = [] }
        #expect(try await fixture.send(.get, "/admin").status == .forbidden)
        #expect(try await !fixture.send(.get, "/usage").body.contains("href=\"/admin\""))
    }

    @Test(arguments: ["/admin", "/admin/users/1", "/admin/groups/lab%20%26%20co", "/admin/usage"])
    func withTheLedgerAwayPagesSaySo(path: String) async throws {
        fixture.services.isLedgerAway.withLockedValue { $0 = true }
        let reply = try await fixture.send(.get, path)
        #expect(reply.status == .ok)
        #expect(reply.body.contains("not available at the moment"))
        #expect(!reply.body.contains("/secret/path"))
    }

    // MARK: Users

    @Test func usersAreSearchedAndPaged() async throws {
        fixture.services.users.withLockedValue { users in
            users = (1...Int64(120)).map { number in
                let person = Auth.Person(
                    id: UserID(number), email: "u+\(number)@example.edu", name: "<b>", groups: ["lab", .everyone],
                    created: Timestamp(0))
                return Auth.UserRecord(person: person, isDisabled: number == 52)
            }
        }
        let reply = try await fixture.send(.get, "/admin/users?search=a%26b&offset=50")
        #expect(calls.contains("find a&b 50 email up"))
        #expect(reply.body.contains("/admin/users?search=a%26b&amp;sort=email&amp;order=up&amp;offset=100"))
        #expect(reply.body.contains("/admin/users?search=a%26b&amp;sort=email&amp;order=up&amp;offset=0"))
        #expect(reply.body.contains("51–100 of 120"))
        #expect(reply.body.contains("value=\"a&amp;b\""))
        #expect(reply.body.contains("default, lab"))
        #expect(reply.body.contains("Disabled"))
        #expect(!reply.body.contains("<td><b>"))
        #expect(!reply.body.contains("/admin/users/101\""))
    }

    @Test func aSearchMayHoldAnyCharacter() async throws {
        let reply = try await fixture.send(.get, "/admin/users?search=a%00b&after=%00")
        #expect(reply.status == .ok)
        #expect(!reply.body.contains("\0"))
        #expect(reply.body.contains("value=\"a\u{FFFD}b\""))
    }

    @Test func anUnknownUserIsNotFound() async throws {
        for id in ["99", "x", "-1"] { #expect(try await fixture.send(.get, "/admin/users/\(id)").status == .notFound) }
    }

    @Test func aUsersPageShowsPoolsBudgetsAndUsage() async throws {
        fixture.services.overrides.withLockedValue {
            $0 = [
                Ledger.Override(pool: "dummy", budget: Budget(max: .tokens(7_000), refresh: 30, starting: 500)),
                Ledger.Override(pool: "default", budget: Budget(max: .unlimited, refresh: 0, starting: 0)),
            ]
        }
        let reply = try await fixture.send(.get, "/admin/users/1?month=2026-10&pool=dummy")
        #expect(reply.body.contains("<h1>ada@example.edu</h1>"))
        #expect(reply.body.contains("/admin/users/1/reset?pool=default"))
        #expect(reply.body.contains("7\u{202F}000"))
        #expect(reply.body.contains("no limit"))
        #expect(reply.body.contains(#"value="7000""#), "the form has the budget that is to be changed")
        #expect(reply.body.contains("Used: October 2026"))
        #expect(reply.body.contains("/admin/users/1/usage.csv?month=2026-10"))
        #expect(calls.contains("report 1 2026-10 0"))
    }

    // MARK: Overrides

    @Test(arguments: [
        ("pool=default&max=1_000_000&refresh=&starting=", "default 1000000 0 1000000"),
        ("pool=dummy&max=5+000&refresh=10&starting=0", "dummy 5000 10 0"),
        ("pool=dummy&max=0", "dummy 0 0 0"),
        ("pool=dummy&unlimited=yes&max=&refresh=&starting=", "dummy unlimited 0 0"),
        ("pool=dummy&unlimited=yes&refresh=9", "dummy unlimited 9 0"),
        (
            "pool=default&max=1000000000000000&refresh=1000000000000",
            "default 1000000000000000 1000000000000 1000000000000000"
        ),
    ])
    func aBudgetIsSet(form: String, budget: String) async throws {
        let reply = try await post("/admin/users/1/override", form)
        #expect(reply.status == .seeOther)
        #expect(reply.headers[.location] == "/admin/users/1?done=budget-set")
        #expect(calls.contains("set 1 \(budget)"))
        #expect(try await fixture.send(.get, "/admin/users/1?done=budget-set").body.contains("The budget is set."))
    }

    @Test(arguments: [
        ("pool=default&max=", "max-problem", "tick “No limit”"),
        ("pool=default&max=-1", "max-problem", "A whole number"),
        ("pool=default&max=1e3", "max-problem", "A whole number"),
        (
            "pool=default&max=1000000000000001", "max-problem",
            "1\u{202F}000\u{202F}000\u{202F}000\u{202F}000\u{202F}000"
        ),
        ("pool=default&max=99999999999999999999999", "max-problem", "A whole number"),
        ("pool=default&max=5&refresh=1000000000001", "refresh-problem", "A whole number"),
        ("pool=default&max=5&starting=6", "starting-problem", "more than the pool can hold"),
        ("pool=dummy&unlimited=yes&max=10", "max-problem", "untick “No limit”"),
        ("pool=dummy&unlimited=yes&max=&starting=10", "starting-problem", "untick “No limit”"),
        ("pool=nothing&max=5", "pool-problem", "no such model"),
    ])
    func whatIsWrongIsSaidBesideTheField(form: String, problem: String, text: String) async throws {
        let reply = try await post("/admin/users/1/override", form)
        #expect(reply.status == .unprocessableContent)
        #expect(reply.body.contains("id=\"\(problem)\""))
        #expect(reply.body.contains(text))
        #expect(reply.body.contains("aria-invalid=\"true\""))
        #expect(!calls.contains { $0.hasPrefix("set") })
    }

    @Test func whatWasTypedIsKeptAndEscaped() async throws {
        let reply = try await post("/admin/users/1/override", "pool=dummy&max=%22%3E%3Cscript%3E&refresh=12")
        #expect(reply.body.contains(#"value="&quot;&gt;&lt;script&gt;""#))
        #expect(reply.body.contains(#"value="12""#))
        #expect(reply.body.contains(#"<option value="dummy" selected>"#))
    }

    @Test func aBudgetIsRemoved() async throws {
        fixture.services.overrides.withLockedValue {
            $0 = [Ledger.Override(pool: "gone-model", budget: Budget(max: .tokens(7), refresh: 0, starting: 7))]
        }
        let reply = try await post("/admin/users/1/override/remove", "pool=gone-model")
        #expect(reply.headers[.location] == "/admin/users/1?done=budget-removed")
        #expect(calls.contains("set 1 gone-model none"))
    }

    @Test func aBudgetThatIsNotThereIsNotRemoved() async throws {
        let reply = try await post("/admin/users/1/override/remove", "pool=dummy")
        #expect(reply.headers[.location] == "/admin/users/1?done=nothing-to-remove")
        #expect(!calls.contains { $0.hasPrefix("set") })
        let page = try await fixture.send(.get, "/admin/users/1?done=nothing-to-remove")
        #expect(page.body.contains("There was nothing to remove"))
    }

    @Test func withTheLedgerAwayNothingThatWasTypedIsLost() async throws {
        fixture.services.isLedgerAway.withLockedValue { $0 = true }
        let reply = try await post("/admin/users/1/override", "pool=dummy&max=4321")
        #expect(reply.status == .serviceUnavailable)
        #expect(reply.body.contains("It is not known whether the budget is set."))
        #expect(reply.body.contains(#"value="4321""#))
        #expect(!reply.body.contains("/secret/path"))
    }

    // MARK: Resets

    @Test func aResetIsAskedAboutFirst() async throws {
        let page = try await fixture.send(.get, "/admin/users/1/reset?pool=default")
        #expect(page.body.contains(#"<form class="row" method="post" action="/admin/users/1/reset">"#))
        #expect(page.body.contains("1\u{202F}234\u{202F}567 of 2\u{202F}000\u{202F}000"))
        #expect(page.body.contains("will hold 1\u{202F}500\u{202F}000"))
        #expect(!calls.contains { $0.hasPrefix("reset") })
        let reply = try await post("/admin/users/1/reset", "pool=default")
        #expect(reply.headers[.location] == "/admin/users/1?done=reset")
        #expect(calls.contains("reset 1 default"))
    }

    @Test func aPoolThatNobodyUsedHasNothingToReset() async throws {
        let reply = try await post("/admin/users/1/reset", "pool=untouched")
        #expect(reply.headers[.location] == "/admin/users/1?done=nothing-to-reset")
    }

    @Test func aPoolThatIsNotThereIsNotAskedAbout() async throws {
        #expect(try await fixture.send(.get, "/admin/users/1/reset?pool=nope").status == .notFound)
    }

    @Test func aSharedPoolIsReset() async throws {
        let group = try await fixture.send(.get, "/admin/groups/lab%20%26%20co")
        #expect(group.body.contains("/admin/groups/lab%20%26%20co/reset"))
        #expect(group.body.contains("full in 2 h"))
        #expect(try await fixture.send(.get, "/admin/groups/none/reset").status == .notFound)
        let reply = try await post("/admin/groups/lab%20%26%20co/reset", "")
        #expect(reply.headers[.location] == "/admin/groups/lab%20%26%20co?done=reset")
        #expect(calls.contains("reset group lab & co"))
    }

    // MARK: The audit log

    @Test func changesAtTheLedgerAreWrittenDownBeforeTheyAreMade() async throws {
        fixture.services.overrides.withLockedValue {
            $0 = [Ledger.Override(pool: "dummy", budget: Budget(max: .tokens(7), refresh: 3, starting: 5))]
        }
        _ = try await post("/admin/users/1/override", "pool=dummy&max=10")
        _ = try await post("/admin/users/1/override/remove", "pool=dummy")
        _ = try await post("/admin/users/1/reset", "pool=default")
        _ = try await post("/admin/groups/lab/reset", "")
        let actor = "by 1 ada@example.edu from 192.0.2.7"
        let old = "max 7, refresh 3, starting 5"
        #expect(
            calls.filter { $0.hasPrefix("audit") || $0.hasPrefix("set") || $0.hasPrefix("reset") } == [
                "audit user.set_budget (user 1 ada@example.edu pool dummy): \(old) > max 10, refresh 0, starting 10 \(actor)",
                "set 1 dummy 10 0 10",
                "audit user.remove_budget (user 1 ada@example.edu pool dummy): \(old) > - \(actor)",
                "set 1 dummy none",
                "audit user.reset_pool (user 1 ada@example.edu pool default): balance 1234567 > balance 1500000 \(actor)",
                "reset 1 default",
                "audit group.reset_pool (group lab): - > - \(actor)",
                "reset group lab",
            ])
    }

    @Test func whatCannotBeWrittenDownIsNotDone() async throws {
        fixture.services.overrides.withLockedValue {
            $0 = [Ledger.Override(pool: "dummy", budget: Budget(max: .tokens(7), refresh: 0, starting: 7))]
        }
        fixture.services.failing.withLockedValue { $0 = "audit" }
        for (path, body) in [
            ("/admin/users/1/override", "pool=dummy&max=10"), ("/admin/users/1/override/remove", "pool=dummy"),
            ("/admin/users/1/reset", "pool=default"), ("/admin/groups/lab/reset", ""),
            ("/admin/groups/chem/budget", "pool=dummy&max=10"), ("/admin/groups/chem/budget/remove", "pool=dummy"),
        ] {
            #expect(try await post(path, body).status == .serviceUnavailable)
        }
        #expect(!calls.contains { $0.hasPrefix("set") || $0.hasPrefix("reset") })
    }

    @Test func everyChangeIsLoggedWithWhoMadeIt() async throws {
        _ = try await post("/admin/users/1/override", "pool=dummy&max=10")
        _ = try await post("/admin/groups/lab/reset", "")
        fixture.services.isLedgerAway.withLockedValue { $0 = true }
        _ = try await post("/admin/users/1/reset", "pool=default")
        let lines = fixture.log.withLockedValue { $0 }.filter { $0["admin_id"] != nil }
        #expect(lines.map { $0["outcome"] } == ["done", "done", "unavailable"])
        #expect(lines.map { $0["call"] } == ["ledger.set_override", "ledger.reset", "ledger.reset"])
        #expect(lines.allSatisfy { $0["admin_id"] == "1" && "\($0["request_id"] ?? "")".hasPrefix("req_") })
        #expect(
            lines[0]["user_id"] == "1" && lines[0]["pool"] == "dummy"
                && lines[0]["budget"] == "max 10, refresh 0, starting 10")
        #expect(lines[1]["group"] == "lab")
    }

    // MARK: Usage of everyone

    @Test func monthsBeforeTheFirstUseAreNotOffered() async throws {
        let last = CalendarDay(.now()).month
        fixture.services.report.withLockedValue { $0.firstMonth = last }
        let reply = try await fixture.send(.get, "/admin/usage")
        #expect(reply.body.ranges(of: "<option ").count == 2, "this month, and all")
        #expect(reply.body.contains("<option value=\"\(last)\" selected>"))
    }

    @Test func usageOfEveryoneNamesPeople() async throws {
        let reply = try await fixture.send(.get, "/admin/usage?month=2026-10")
        #expect(calls.contains("report all 2026-10 100"))
        #expect(reply.body.contains(#"<a href="/admin/users/1">=ada@example.edu</a>"#))
        #expect(reply.body.contains(#"<a href="/admin/users/2">user 2</a>"#))
        #expect(reply.body.contains("Users’ own budgets"))
        for list in ["user", "group", "model", "day", "source"] {
            #expect(reply.body.contains("/admin/usage.csv?month=2026-10&amp;by=\(list)"))
        }
    }

    @Test(arguments: [
        ("group", "group", "\r\ndefault,"), ("model", "model", "\r\ndummy,"), ("day", "day", "\r\n2026-11-23,"),
        ("source", "source", "\r\napi,"), ("user", "user_id,email", "\r\n1,'=ada@example.edu,"),
    ])
    func eachListIsAFile(list: String, header: String, line: String) async throws {
        let reply = try await fixture.send(.get, "/admin/usage.csv?month=all&by=\(list)")
        #expect(reply.headers[.contentDisposition] == "attachment; filename=\"usage-by-\(list)-all.csv\"")
        #expect(reply.body.hasPrefix(header + ",requests,"))
        #expect(reply.body.contains(line + "1500,90000,10000,99000,1000,12.345678901\r\n"))
    }

    @Test func thereIsNoOtherList() async throws {
        #expect(try await fixture.send(.get, "/admin/usage.csv?by=password").status == .badRequest)
        #expect(try await fixture.send(.get, "/admin/usage.csv").status == .badRequest)
    }

    @Test func addressesOfManyUsersAreAskedForInParts() async throws {
        fixture.services.report.withLockedValue { report in
            report.users = (1...1_200).map { Ledger.UsageLine(name: "\($0)", sum: report.total) }
        }
        let reply = try await fixture.send(.get, "/admin/usage.csv?by=user")
        #expect(calls.filter { $0.hasPrefix("names") } == ["names 500", "names 500", "names 200"])
        #expect(reply.body.utf8.count { $0 == UInt8(ascii: "\n") } == 1_201)
    }
}
