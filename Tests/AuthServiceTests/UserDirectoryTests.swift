import SharedProtocol
import Storage
import StorageTesting
import Testing

@testable import auth_service

@Suite(.bothEngines) struct UserDirectoryTests {
    private let fixture: AuthFixture
    private let auth: RunningAuth

    init() async throws {
        fixture = try AuthFixture()
        auth = try await fixture.start()
        for name in ["bob@example.edu", "ann@example.edu", "a_b@other.edu", "Dora@Example.EDU"] {
            _ = try await auth.createKey(name)
        }
    }

    private func found(_ search: String, offset: Int = 0, limit: Int = 200) async throws -> [String] {
        try await auth.call(Auth.FindUsers(search: search, offset: offset, limit: limit)).users.map(\.person.email)
    }

    @Test func everyoneIsListedByAddress() async throws {
        let all = ["a_b@other.edu", "ann@example.edu", "bob@example.edu", "dora@example.edu"]
        #expect(try await found("") == all)
        #expect(try await found("", limit: 2) == Array(all.prefix(2)))
        #expect(try await found("", offset: 2, limit: 2) == Array(all.suffix(2)))
        #expect(try await found("", offset: 4) == [])
    }

    @Test func aPartOfTheAddressIsEnoughInAnyCase() async throws {
        #expect(try await found("EXAMPLE") == ["ann@example.edu", "bob@example.edu", "dora@example.edu"])
        #expect(try await found("dor") == ["dora@example.edu"])
        #expect(try await found(" dor\n") == ["dora@example.edu"])
        #expect(try await found("zz") == [])
    }

    @Test func wildcardsAreLettersLikeAnyOther() async throws {
        #expect(try await found("a_b") == ["a_b@other.edu"])
        #expect(try await found("%") == [])
        #expect(try await found("\\") == [])
        #expect(try await found("'; DROP TABLE user; --") == [])
    }

    @Test func pagesHaveALimit() async throws {
        for limit in [0, 201] {
            #expect(
                await auth.failure(Auth.FindUsers(search: "", limit: limit)) == .invalidParams)
        }
    }

    @Test func disabledUsersAreStillFound() async throws {
        try await auth.disable("bob@example.edu")
        let bob = try #require(
            try await auth.call(Auth.FindUsers(search: "bob", limit: 1)).users.first)
        #expect(bob.isDisabled)
        #expect(try await auth.call(Auth.GetUser(user: bob.person.id)) == bob)
        #expect(bob.person.groups == [.everyone])
    }

    @Test func anUnknownUserIsNotFound() async throws {
        #expect(await auth.failure(Auth.GetUser(user: UserID(99))) == .notFound)
    }

    @Test func somebodyIsFoundByTheVeryAddressInAnyCase() async throws {
        let dora = try await auth.call(Auth.FindUser(email: "DORA@example.edu"))
        #expect(try await auth.call(Auth.GetUser(user: dora.person.id)) == dora)
        #expect(dora.person.email == "dora@example.edu")
        for email in ["ora@example.edu", "dora", "", "%"] {
            #expect(await auth.failure(Auth.FindUser(email: email)) == .notFound)
        }
    }

    @Test func namesOfManyComeInOneCall() async throws {
        let all = try await auth.call(Auth.FindUsers(search: "", limit: 200)).users
        let names = try await auth.call(Auth.NamesOf(users: all.map(\.person.id) + [UserID(99)]))
        #expect(Set(names.map(\.email)) == Set(all.map(\.person.email)))
        #expect(try await auth.call(Auth.NamesOf(users: [])).isEmpty)
        let tooMany = (0...Auth.NamesOf.most).map { UserID(Int64($0)) }
        #expect(await auth.failure(Auth.NamesOf(users: tooMany)) == .refused)
    }
}
