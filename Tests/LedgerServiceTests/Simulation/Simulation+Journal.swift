import GRDB
import Testing

@testable import SharedProtocol
@testable import Storage
@testable import ledger_service

extension Simulation {
    /// A transaction in the middle of which other things happen, of which any statement may fail, and around which the
    /// ledger may die.
    mutating func commit() throws {
        let posts = inbox
        inbox = []
        let failsAt = chance(of: 8) ? Int.random(in: 0...30, using: &random) : nil
        let diesBefore = chance(of: 60)
        do {
            try disk.write { database in
                let connection = FaultyConnection(Storage.SQLiteConnection(database), failsAt: failsAt)
                let recorded = try UsageEventStore.recorded(posts.map(\.request), connection)
                book.uptime = now.uptime
                let commit = book.prepareCommit(posts, recorded: recorded, at: now.wall)
                try JournalStore.write(commit, at: now.wall, connection)
                meanwhile()
                if diesBefore { throw FaultyConnection.Failure() }
            }
        } catch is FaultyConnection.Failure {
            tally.failedCommits += 1
            if diesBefore { return try crashLedger() }
            book.abandonCommit()
            // Answers whoever asks that the ledger is not well, until the next commit.
            book.isStorageFailing = false
            return
        }
        // On disk, and nobody has heard of it.
        if chance(of: 60) { return try crashLedger() }
        let commit = book.concludeCommit(at: now.wall)
        hearDecisions()
        // Nobody hears what became of a dead web's request.
        let heard = Set(posts.filter { $0.usage.outcome != .lost }.map(\.request))
        for case (let request, .success(let receipt)) in commit.answers where heard.contains(request) && !isLost() {
            hear(receipt, of: request)
        }
    }

    private mutating func hear(_ receipt: Ledger.Receipt, of request: RequestID) {
        if let known = receipts[request] {
            #expect(receipt == known, "a post was answered twice, and otherwise the second time")
        }
        receipts[request] = receipt
        for index in webs.indices { webs[index].ended(request) }
    }

    /// What goes on while the disk writes.
    private mutating func meanwhile() {
        for _ in 0..<Int.random(in: 0...2, using: &random) {
            let call = randomReserve(webs[0].instance)
            if case .decided(.granted(let grant)) = book.reserve(call, at: now) {
                tally.requests += 1
                tally.granted += grant.reserved
                webs[0].begin(call, grant)
            }
        }
        if let request = webs[0].unheard.min(by: { $0.rawValue < $1.rawValue }) {
            _ = book.void(request, at: now.wall)
            webs[0].unheard.remove(request)
        }
    }

    /// Ends everything that is under way, and finds that nothing is left.
    mutating func settle() throws {
        for index in webs.indices {
            for request in webs[index].live.keys.sorted(by: { $0.rawValue < $1.rawValue }) {
                if webs[index].end(request, lies: false) == nil { webs[index].unheard.insert(request) }
            }
        }
        // What no web knows any more ends with the lease of the web that had it.
        for _ in 0..<3 {
            for index in webs.indices {
                for request in webs[index].unheard { _ = book.void(request, at: now.wall) }
                webs[index].unheard = []
                inbox += webs[index].pending.values
            }
            now.uptime += OwnerLeases.length + 1
            for web in webs { book.renew(Ledger.Renew(owner: web.instance, progress: []), at: now) }
            for request in book.waiting.keys { book.stopWaiting(request, at: now.wall) }
            hearDecisions()
            inbox += book.endLeases(at: now)
            try commitCalmly()
        }
        tally.leaked += book.reservations.count
        if let left = book.reservations.first { throw Broken(rule: "a reservation is left: \(left)") }
        if let held = book.pools.first(where: { $0.value.reserved != 0 }) {
            throw Broken(rule: "tokens are held by nobody: \(held)")
        }
        tally.lostPosts += webs.reduce(0) { $0 + $1.pending.count }
        #expect(webs.allSatisfy { $0.pending.isEmpty }, "posts were never answered")
        let faults = try disk.read { try Verifier.verify(Storage.SQLiteConnection($0)).faults }
        #expect(faults.isEmpty)
        try tally.add(disk.read { try Storage.SQLiteConnection($0).rows(Tally.query) })
        let refunds: Int64? = try disk.read { try Storage.SQLiteConnection($0).value(Tally.queryOfRefunds) }
        tally.givenBack += TokenCount(refunds ?? 0)
    }

    private mutating func commitCalmly() throws {
        let posts = inbox
        inbox = []
        book.isStorageFailing = false
        try disk.write { database in
            let connection = Storage.SQLiteConnection(database)
            let recorded = try UsageEventStore.recorded(posts.map(\.request), connection)
            book.uptime = now.uptime
            let commit = book.prepareCommit(posts, recorded: recorded, at: now.wall)
            try JournalStore.write(commit, at: now.wall, connection)
        }
        let commit = book.concludeCommit(at: now.wall)
        hearDecisions()
        let heard = Set(posts.filter { $0.usage.outcome != .lost }.map(\.request))
        for (request, answer) in commit.answers where heard.contains(request) {
            switch answer {
            case .success(let receipt): hear(receipt, of: request)
            // A request that was voided while its post was under way: the web that voided it is gone.
            case .failure: for index in webs.indices { webs[index].ended(request) }
            }
        }
    }
}

/// Fails one statement of a transaction, as a full disk does.
final class FaultyConnection: SQLConnection {
    struct Failure: Error {}

    private let connection: Storage.SQLiteConnection
    private let failsAt: Int?
    private(set) var statements = 0

    init(_ connection: Storage.SQLiteConnection, failsAt: Int?) {
        self.connection = connection
        self.failsAt = failsAt
    }

    var engine: SQLEngine { connection.engine }

    func execute(_ sql: String, _ values: [any SQLConvertible]) throws -> Int {
        try count()
        return try connection.execute(sql, values)
    }

    func rows(_ sql: String, _ values: [any SQLConvertible]) throws -> [SQLRow] {
        try count()
        return try connection.rows(sql, values)
    }

    func script(_ sql: String) throws { try connection.script(sql) }

    private func count() throws {
        defer { statements += 1 }
        if statements == failsAt { throw Failure() }
    }
}
