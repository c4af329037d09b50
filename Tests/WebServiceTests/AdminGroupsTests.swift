import HTTPTypes
import NIOConcurrencyHelpers
import SharedProtocol
import Testing

@testable import web_service

@Suite struct AdminGroupsTests {
    let fixture: SiteFixture

    init() throws { fixture = try SiteFixture(admins: ["ada@example.edu"]) }

    private static let actor = "by 1 ada@example.edu from 192.0.2.7"
    private var calls: [String] { fixture.services.calls.withLockedValue { $0 } }

    private func post(_ path: String, _ body: String = "") async throws -> SiteFixture.Reply {
        try await fixture.send(.post, path, origin: SiteFixture.origin, body: body)
    }

    @Test func everyGroupIsListedWithWhereItComesFrom() async throws {
        let reply = try await fixture.send(.get, "/admin/groups")
        #expect(reply.body.contains(#"<a href="/admin/groups/lab%20%26%20co">lab &amp; co</a>"#))
        #expect(reply.body.contains("Chemistry &lt;b&gt;"))
        #expect(reply.body.contains("1\u{202F}000"))
        #expect(reply.body.contains("the file") && reply.body.contains("this page"))
    }

    @Test func aGroupIsMade() async throws {
        let reply = try await post("/admin/groups", "name=phys.lab&title=Physics")
        #expect(reply.headers[.location] == "/admin/groups/phys.lab?done=group-created")
        #expect(calls.contains("create group phys.lab Physics \(Self.actor)"))
        _ = try await post("/admin/groups", "name=maths&title=")
        #expect(calls.contains("create group maths maths \(Self.actor)"), "the name is the title of one without")
    }

    @Test func aNameThatIsTakenIsSaidBesideTheField() async throws {
        let reply = try await post("/admin/groups", "name=taken&title=%3Ci%3E")
        #expect(reply.status == .unprocessableContent)
        #expect(reply.body.contains(#"id="name-problem">There is a group with this name."#))
        #expect(reply.body.contains(#"value="taken" aria-invalid="true""#))
        #expect(reply.body.contains(#"value="&lt;i&gt;""#))
    }

    @Test func whatIsWrongWithATitleIsSaidBesideTheTitle() async throws {
        let reply = try await post("/admin/groups", "name=phys&title=\(String(repeating: "x", count: 101))")
        #expect(reply.status == .unprocessableContent)
        #expect(
            reply.body.contains(
                #"id="title-problem">A group's title has 1 to 100 characters"#.replacing("'", with: "&#39;")))
        #expect(!reply.body.contains("name-problem"))
        #expect(!calls.contains { $0.hasPrefix("create") })
    }

    @Test func aGroupOfTheFileIsLockedAndSaysWhy() async throws {
        let file = try await fixture.send(.get, "/admin/groups/lab%20%26%20co")
        #expect(file.body.contains("comes from the configuration file"))
        #expect(!file.body.contains("co/title") && !file.body.contains("co/enable"))
        #expect(file.body.contains("/members"), "members can be added by hand all the same")
        let panel = try await fixture.send(.get, "/admin/groups/chem")
        #expect(panel.body.contains("/admin/groups/chem/title") && panel.body.contains("/admin/groups/chem/disable"))
        #expect(!panel.body.contains("comes from the configuration file"))
        let everyone = try await fixture.send(.get, "/admin/groups/default")
        #expect(everyone.body.contains("Everyone is a member"))
        #expect(!everyone.body.contains("/members"))
    }

    @Test func aGroupIsRenamedDisabledAndEnabled() async throws {
        #expect(
            try await post("/admin/groups/chem/title", "title=New+one").headers[.location]
                == "/admin/groups/chem?done=group-renamed")
        _ = try await post("/admin/groups/chem/disable")
        _ = try await post("/admin/groups/a%2Fb%20c/enable")
        #expect(
            calls.suffix(5).filter { $0.contains("group ") } == [
                "rename group chem New one \(Self.actor)", "disable group chem true \(Self.actor)",
                "disable group a/b c false \(Self.actor)",
            ])
        let refused = try await post("/admin/groups/chem/title", "title=")
        #expect(refused.status == .unprocessableContent)
        #expect(refused.body.contains(#"id="title-problem">A group needs a title."#))
    }

    @Test func membersAreShownWithTheReasonAndPaged() async throws {
        fixture.services.members.withLockedValue { members in
            members = (1...Int64(60)).map { number in
                Auth.Member(
                    user: UserID(number), email: "m\(number)@example.edu", name: "<b>", isByRule: number != 1,
                    isByHand: number <= 2)
            }
        }
        let reply = try await fixture.send(.get, "/admin/groups/chem")
        #expect(reply.body.contains("1–50 of 60"))
        #expect(reply.body.contains("/admin/groups/chem?offset=50"))
        #expect(reply.body.contains("<td>by hand</td>") && reply.body.contains("<td>by rule, by hand</td>"))
        #expect(reply.body.contains("<td>by rule</td>"))
        // What the rules make cannot be taken away by hand.
        #expect(reply.body.matches(of: /members\/[0-9]+\/remove/).count == 2)
        let last = try await fixture.send(.get, "/admin/groups/chem?offset=50")
        #expect(last.body.contains("51–60 of 60"))
        #expect(!last.body.contains("rel=\"next\""))
    }

    @Test func somebodyIsAddedByAddressAndTakenOut() async throws {
        fixture.services.users.withLockedValue { users in
            users = (1...Int64(250)).map { number in
                let person = Auth.Person(
                    id: UserID(number), email: number == 230 ? "b@example.edu" : "\(number)b@example.edu", name: "",
                    groups: [.everyone], created: Timestamp(0))
                return Auth.UserRecord(person: person, isDisabled: false)
            }
        }
        let added = try await post("/admin/groups/chem/members", "email=+B%40Example.edu+")
        #expect(added.headers[.location] == "/admin/groups/chem?done=member-added")
        #expect(calls.contains("member chem 230 true \(Self.actor)"), "this very address, not one that ends so")
        #expect(calls.filter { $0.hasPrefix("find") } == ["find user B@Example.edu"])
        let removed = try await post("/admin/groups/chem/members/230/remove")
        #expect(removed.headers[.location] == "/admin/groups/chem?done=member-removed")
        #expect(calls.contains("member chem 230 false \(Self.actor)"))
        for typed in ["nobody@example.edu", "no+address", ""] {
            let refused = try await post("/admin/groups/chem/members", "email=\(typed)")
            #expect(refused.status == .unprocessableContent)
            #expect(refused.body.contains("id=\"email-problem\""))
        }
    }

    @Test(arguments: [
        "/admin/groups/none", "/admin/groups/%ff", "/admin/groups/\(String(repeating: "x", count: 2_000))",
    ])
    func aGroupThatIsNotThereIsNotFound(path: String) async throws {
        #expect(try await fixture.send(.get, path).status == .notFound)
    }
}
