import SharedProtocol
import Storage
import StorageTesting
import Testing

@testable import auth_service

@Suite(.bothEngines) struct APIKeyTests {
    private let fixture: AuthFixture
    private let auth: RunningAuth

    init() async throws {
        fixture = try AuthFixture("api:\n  max_keys_per_user: 3\n")
        auth = try await fixture.start()
    }

    private func authenticate(_ key: Auth.NewKey) -> Auth.Authenticate {
        Auth.Authenticate(key: fixture.hash(ofKey: key.secret))
    }

    @Test func keyAuthenticatesItsOwner() async throws {
        let key = try await auth.createKey("Ann@Example.EDU")
        let holder = try await auth.call(authenticate(key))
        #expect(holder.key == key.summary.id)
        #expect(holder.person.email == "ann@example.edu")
        #expect(holder.person.name == "ann")
        #expect(holder.person.groups == [.everyone])
        #expect(holder.person.created == fixture.now)
        #expect(try await auth.number("SELECT revision FROM revision") == holder.revision)
    }

    @Test func secretHasItsForm() async throws {
        let key = try await auth.createKey()
        #expect(key.secret.wholeMatch(of: /sk-lumen-[0-9A-Za-z]{43}/) != nil)
        let random = key.secret.dropFirst("sk-lumen-".count)
        #expect(key.summary.hint == "sk-lumen-\(random.prefix(2))…\(random.suffix(2))")
        #expect(try await auth.createKey().secret != key.secret)
    }

    @Test func secretIsNotOnDisk() async throws {
        // PostgreSQL's files are out of reach; what is written is the same.
        guard fixture.database.engine == .sqlite else { return }
        let key = try await auth.createKey()
        let session = try await auth.call(Auth.DevLogin())
        #expect(try fixture.filesContain(fixture.hash(ofKey: key.secret).rawValue))
        #expect(try !fixture.filesContain(String(key.secret.suffix(20))))
        #expect(try !fixture.filesContain(String(session.secret.suffix(20))))
    }

    @Test func unknownKeyIsRefused() async throws {
        #expect(await auth.failure(Auth.Authenticate(key: fixture.hash(ofKey: "sk-lumen-x"))) == .unauthenticated)
    }

    @Test func hashUnderAnotherEncryptionKeyIsUnknown() async throws {
        let key = try await auth.createKey()
        let other = CredentialHash(of: key.secret, under: "another key of the keys")
        #expect(await auth.failure(Auth.Authenticate(key: other)) == .unauthenticated)
    }

    @Test func oneAddressIsOneUserInAnyLetterCase() async throws {
        let first = try await auth.call(authenticate(try await auth.createKey("ann@example.edu")))
        let second = try await auth.call(authenticate(try await auth.createKey("ANN@example.edu")))
        #expect(first.person.id == second.person.id)
    }

    @Test func keyCanBeMadeForAUserWhoIsThereOnly() async throws {
        let user = try await auth.call(authenticate(try await auth.createKey())).person.id
        _ = try await auth.call(Auth.CreateKey(owner: .user(user), name: "second"))
        #expect(await auth.failure(Auth.CreateKey(owner: .user(UserID(999)), name: "third")) == .notFound)
        #expect(await auth.failure(Auth.CreateKey(owner: .email("nobody"), name: "fourth")) == .refused)
    }

    @Test(arguments: ["", "  \t ", "two\nlines", String(repeating: "x", count: 101), "\u{7f}"])
    func nameThatIsNoneIsRefused(name: String) async throws {
        #expect(await auth.failure(Auth.CreateKey(owner: .email("ann@example.edu"), name: name)) == .refused)
        #expect(try await auth.number("SELECT count(*) FROM users") == 0)
    }

    @Test func nameIsTrimmed() async throws {
        #expect(try await auth.createKey(name: " my laptop \n").summary.name == "my laptop")
        #expect(try await auth.createKey(name: String(repeating: "ü", count: 100)).summary.name.count == 100)
    }

    @Test func tooManyKeysAreRefusedUntilOneIsRevoked() async throws {
        let keys = [try await auth.createKey(), try await auth.createKey(), try await auth.createKey()]
        let another = Auth.CreateKey(owner: .email("ann@example.edu"), name: "fourth")
        #expect(await auth.failure(another) == .refused)
        let user = try await auth.call(authenticate(keys[0])).person.id
        _ = try await auth.call(Auth.RevokeKey(user: user, key: keys[0].summary.id))
        _ = try await auth.call(another)
    }

    @Test func limitHoldsWhenManyAskAtOnce() async throws {
        let made = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<12 {
                group.addTask { [auth] in
                    await auth.failure(Auth.CreateKey(owner: .email("ann@example.edu"), name: "k")) == nil
                }
            }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(made == 3)
        #expect(try await auth.number("SELECT count(*) FROM users") == 1)
    }

    @Test func listHasTheNewestFirstAndNoRevokedOnes() async throws {
        let first = try await auth.createKey(name: "first")
        fixture.pass(1000)
        let second = try await auth.createKey(name: "second")
        let third = try await auth.createKey(name: "third")
        _ = try await auth.createKey("bob@example.edu", name: "not hers")
        let user = try await auth.call(authenticate(first)).person.id
        _ = try await auth.call(Auth.RevokeKey(user: user, key: second.summary.id))
        #expect(try await auth.call(Auth.ListKeys(user: user)) == [third.summary, first.summary])
        #expect(try await auth.call(Auth.ListKeys(user: UserID(999))) == [])
    }

    @Test func revokedKeyIsRefusedAndTheRevisionGrows() async throws {
        let key = try await auth.createKey()
        let holder = try await auth.call(authenticate(key))
        let revoke = Auth.RevokeKey(user: holder.person.id, key: holder.key)
        _ = try await auth.call(revoke)
        #expect(await auth.failure(authenticate(key)) == .unauthenticated)
        #expect(try await auth.number("SELECT revision FROM revision") == holder.revision + 1)
        // Again is no error, and takes nothing away.
        _ = try await auth.call(revoke)
        #expect(try await auth.number("SELECT revision FROM revision") == holder.revision + 1)
    }

    @Test func keyOfAnotherUserCannotBeRevoked() async throws {
        let key = try await auth.createKey()
        let other = try await auth.call(authenticate(try await auth.createKey("bob@example.edu"))).person.id
        #expect(await auth.failure(Auth.RevokeKey(user: other, key: key.summary.id)) == .notFound)
        #expect(await auth.failure(authenticate(key)) == nil)
    }

    @Test func disabledAccountIsToldApartFromAnUnknownKey() async throws {
        let key = try await auth.createKey()
        try await auth.disable("ann@example.edu")
        #expect(await auth.failure(authenticate(key)) == .accountDisabled)
        #expect(await auth.failure(Auth.CreateKey(owner: .email("ann@example.edu"), name: "k")) == .accountDisabled)
    }

    @Test func lastUseIsWrittenToTheMinute() async throws {
        let key = try await auth.createKey()
        let user = try await auth.call(authenticate(key)).person.id
        let first = fixture.now
        func lastUsed() async throws -> Timestamp? {
            await auth.calls.lastUse.flush()
            return try await auth.call(Auth.ListKeys(user: user)).first?.lastUsed
        }
        #expect(try await lastUsed() == first)
        fixture.pass(59_999)
        _ = try await auth.call(authenticate(key))
        #expect(try await lastUsed() == first)
        fixture.pass(1)
        _ = try await auth.call(authenticate(key))
        #expect(try await lastUsed() == fixture.now)
    }

    @Test func aKeysCapIsToldToWhoeverReadsItsHolder() async throws {
        let new = try await auth.call(
            Auth.CreateKey(owner: .email("ann@example.edu"), name: "capped", cap: 5000))
        #expect(new.summary.cap == 5000)
        let holder = try await auth.call(Auth.Authenticate(key: fixture.hash(ofKey: new.secret)))
        #expect(holder.cap == 5000)
        #expect(try await auth.call(Auth.ListKeys(user: holder.person.id)).first?.cap == 5000)
    }

    @Test(arguments: [0, -1, 1_000_000_000_000_001] as [TokenCount])
    func aCapOutOfRangeIsRefused(cap: TokenCount) async {
        #expect(await auth.failure(Auth.CreateKey(owner: .email("a@example.edu"), name: "k", cap: cap)) == .refused)
    }
}
