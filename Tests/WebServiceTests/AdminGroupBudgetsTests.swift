import HTTPTypes
import NIOConcurrencyHelpers
import SharedProtocol
import Testing

@testable import web_service

@Suite struct AdminGroupBudgetsTests {
    let fixture: SiteFixture

    init() throws { fixture = try SiteFixture(admins: ["ada@example.edu"]) }

    private static let actor = "by 1 ada@example.edu from 192.0.2.7"
    private var writes: [String] {
        fixture.services.calls.withLockedValue { $0 }.filter { $0.hasPrefix("audit") || $0.hasPrefix("set") }
    }

    private func post(_ path: String, _ body: String) async throws -> SiteFixture.Reply {
        try await fixture.send(.post, path, origin: SiteFixture.origin, body: body)
    }

    @Test func thoseOfAPanelsGroupCanBeChanged() async throws {
        let reply = try await fixture.send(.get, "/admin/groups/chem?pool=*")
        #expect(reply.body.contains(#"<th scope="row">All members together</th><td class="number">600</td>"#))
        #expect(reply.body.contains(#"<option value="*" selected>All members together</option>"#))
        #expect(reply.body.contains(#"action="/admin/groups/chem/budget#set""#))
        // As it was given, also what the pool of the moment does not tell.
        #expect(reply.body.contains(#"name="starting" inputmode="numeric" autocomplete="off" value="60""#))
        #expect(reply.body.contains(#"href="/admin/groups/chem?pool=a/b%26c#set""#))
        // There is no such model any more, and its numbers are nobody else's.
        let gone = try await fixture.send(.get, "/admin/groups/chem?pool=a/b%26c")
        #expect(gone.body.contains(#"name="max" inputmode="numeric" autocomplete="off" value="""#))
        let file = try await fixture.send(.get, "/admin/groups/lab%20%26%20co")
        #expect(file.body.contains("<th scope=\"row\">dummy</th>"))
        #expect(!file.body.contains("/budget"))
    }

    @Test(arguments: [
        ("pool=default&max=1+000&refresh=5", "default 1000 5 1000", "pool default): - >"),
        ("pool=dummy&unlimited=yes", "model(dummy) unlimited 0 0", "pool dummy): max 7000, refresh 3, starting 5 >"),
        ("pool=*&max=9&starting=0", "shared 9 0 0", "shared pool): max 600, refresh 0, starting 60 >"),
    ])
    func aBudgetIsWrittenDownAndSet(form: String, call: String, audit: String) async throws {
        let reply = try await post("/admin/groups/chem/budget", form)
        #expect(reply.status == .seeOther)
        #expect(reply.headers[.location] == "/admin/groups/chem?done=budget-set")
        #expect(writes.count == 2)
        #expect(writes.first?.hasPrefix("audit group.set_budget (group chem \(audit) max ") == true)
        #expect(writes.first?.hasSuffix(Self.actor) == true)
        #expect(writes.last == "set group chem \(call)")
    }

    @Test func oneIsRemovedAlsoOfAModelThatIsNoMore() async throws {
        let reply = try await post("/admin/groups/chem/budget/remove", "pool=a%2Fb%26c")
        #expect(reply.headers[.location] == "/admin/groups/chem?done=group-budget-removed")
        let before = "max 8, refresh 0, starting 8"
        #expect(
            writes == [
                "audit group.remove_budget (group chem pool a/b&c): \(before) > - \(Self.actor)",
                "set group chem model(a/b&c) none",
            ])
    }

    @Test(arguments: [
        ("pool=dummy&max=", "max-problem"), ("pool=nothing&max=5", "pool-problem"),
        ("pool=*&max=5&starting=6", "starting-problem"),
    ])
    func whatIsWrongIsSaidBesideTheField(form: String, problem: String) async throws {
        let reply = try await post("/admin/groups/chem/budget", form)
        #expect(reply.status == .unprocessableContent)
        #expect(reply.body.contains("id=\"\(problem)\""))
        #expect(writes == [])
    }

    @Test func thoseOfTheFilesGroupsAreRefused() async throws {
        for (path, form) in [("budget", "pool=dummy&max=5"), ("budget/remove", "pool=dummy")] {
            let reply = try await post("/admin/groups/lab%20%26%20co/" + path, form)
            #expect(reply.status == .badRequest)
            #expect(reply.body.contains("comes from the configuration file"))
        }
        #expect(writes == [])
    }

    @Test func withTheLedgerAwayNothingThatWasTypedIsLost() async throws {
        fixture.services.isLedgerAway.withLockedValue { $0 = true }
        let reply = try await post("/admin/groups/chem/budget", "pool=dummy&max=4321")
        #expect(reply.status == .serviceUnavailable)
        #expect(reply.body.contains("It is not known whether the budget is set."))
        #expect(reply.body.contains(#"value="4321""#))
    }

    @Test func aGroupThatIsNotThereGetsNone() async throws {
        #expect(try await post("/admin/groups/none/budget", "pool=dummy&max=5").status == .notFound)
        #expect(writes == [])
    }
}
