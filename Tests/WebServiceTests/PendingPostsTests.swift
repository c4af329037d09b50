import SharedProtocol
import Storage
import StorageTesting
import Testing

@testable import web_service

/// Posts that wait for the ledger, on a database that several webs share.
@Suite(.bothEngines) struct PendingPostsTests {
    let test: TestDatabase
    let database: ServiceDatabase
    let here = InstanceID("here")
    let there = InstanceID("there")

    init() throws {
        test = try TestDatabase()
        database = try test.open(.web, webMigrations)
    }

    private func add(_ count: Int, to posts: PendingPosts) async throws -> [RequestID] {
        var requests: [RequestID] = []
        for _ in 0..<count {
            let usage = Ledger.Usage(
                prompt: 1, completion: 2, isEstimated: false, endpoint: nil, started: .now(), durationMs: 1,
                firstTokenMs: nil, outcome: .completed)
            let account = Ledger.Account(user: .ada, groups: [.everyone], created: Timestamp(1))
            let post = Ledger.Post(
                request: .random(), account: account, key: nil, source: .api, model: "dummy", usage: usage)
            try await posts.add(post)
            requests.append(post.request)
        }
        return requests
    }

    @Test func aPostIsDeliveredByItsOwnerUntilThatIsDead() async throws {
        let (mine, theirs) = (PendingPosts(database, owner: here), PendingPosts(database, owner: there))
        try await Presence(database: database, instance: there).renew()
        let kept = try await add(2, to: theirs)
        // On SQLite there is one web at a time.
        if database.engine == .postgres {
            try await Presence(database: database, instance: here).renew()
            #expect(try await mine.oldest(10).isEmpty)
            try await database.write { try $0.execute("UPDATE webs SET seen = 0 WHERE instance = 'there'") }
        }
        try await Presence(database: database, instance: here).renew()
        #expect(Set(try await mine.oldest(10).map(\.request)) == Set(kept))
        #expect(try await theirs.oldest(10).isEmpty)
        try await mine.remove(kept[0])
        #expect(try await mine.oldest(10).map(\.request) == [kept[1]])
    }

    /// Whoever says first again that it lives must not take the others for dead.
    @Test func nobodyIsDeadBecauseTheDatabaseWasAway() async throws {
        guard database.engine == .postgres else { return }
        let theirs = PendingPosts(database, owner: there)
        for web in [here, there] { try await Presence(database: database, instance: web).renew() }
        let kept = try await add(1, to: theirs)
        try await database.write { try $0.execute("UPDATE webs SET seen = seen - 20000") }
        for web in [here, there, here] { try await Presence(database: database, instance: web).renew() }
        #expect(try await theirs.oldest(10).map(\.request) == kept)
    }

    @Test func whatAnEarlierReleaseKeptIsDelivered() async throws {
        let kept = try await add(1, to: PendingPosts(database, owner: InstanceID("")))
        try await Presence(database: database, instance: here).renew()
        #expect(try await PendingPosts(database, owner: here).oldest(10).map(\.request) == kept)
    }
}
