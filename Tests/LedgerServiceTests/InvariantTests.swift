import Foundation
import GRDB
import Storage
import Testing

@testable import SharedProtocol
@testable import ledger_service

/// Random interleavings of everything that can happen to a ledger, with a model that only adds up what was acknowledged.
/// Run one again with `TEST_SEED=… swift test --filter InvariantTests`.
struct InvariantTests {
    @Test func noInterleavingBreaksABalance() throws {
        let seed = ProcessInfo.processInfo.environment["TEST_SEED"].flatMap { UInt64($0) } ?? .random(in: 0 ... .max)
        print("TEST_SEED=\(seed)")
        var generator = SplitMix(state: seed)
        for round in 0..<40 {
            var machine = try LedgerMachine(generator: SplitMix(state: generator.next()))
            for step in 0..<250 {
                let name = try machine.step()
                if let fault = try machine.fault() {
                    Issue.record("TEST_SEED=\(seed), round \(round), step \(step) (\(name)): \(fault)")
                    return
                }
            }
        }
    }
}

/// A book and a real database in memory, driven at random.
private struct LedgerMachine {
    let queue: DatabaseQueue
    var generator: SplitMix
    var book: Book
    var now = Moment(wall: .start, uptime: 0)
    var groups: [GroupName: GroupConfiguration] = [:]
    /// Steps that this run never takes, so that runs differ in kind.
    let disabled: Set<Int>
    var requests: [RequestID] = []

    // The model: what callers were told is billed, and what the users may have been given at most.
    var acknowledged: [RequestID: Ledger.Receipt] = [:]
    var mostGiven: TokenCount = 0

    init(generator: SplitMix) throws {
        var generator = generator
        disabled = Set((3..<9).filter { _ in generator.next() % 5 == 0 })
        self.generator = generator
        queue = try DatabaseQueue()
        try queue.write { database in
            for migration in Schema.migrations { try database.execute(sql: migration.sqlite) }
        }
        book = Book()
        changeBudgets()
    }

    /// - Returns: what was done.
    mutating func step() throws -> String {
        let kind = Int.random(in: 0..<12, using: &generator)
        guard !disabled.contains(kind) else { return "nothing" }
        switch kind {
        case 0, 1, 2:
            _ = book.reserve(randomReserve(), at: now)
            return "reserve"
        case 3:
            passTime(Int64.random(in: -3_600_000...7_200_000, using: &generator))
            return "clock"
        case 4:
            changeBudgets()
            return "budgets"
        case 5:
            try restart()
            return "restart"
        case 6:
            if let request = requests.randomElement(using: &generator) { book.stopWaiting(request, at: now.wall) }
            return "stop waiting"
        case 7:
            if let request = requests.randomElement(using: &generator), acknowledged[request] == nil {
                _ = book.void(request, at: now.wall)
            }
            return "void"
        case 8:
            renew()
            return "renew"
        default:
            try commit()
            return "commit"
        }
    }

    /// Which rule is broken now.
    func fault() throws -> String? {
        let sums = try queue.read { database in
            try Row.fetchAll(database, sql: "SELECT pool_id, sum(tokens) FROM entries GROUP BY pool_id")
                .reduce(into: [Int64: Int64]()) { $0[$1[0]] = $1[1] }
        }
        for (key, pool) in book.pools {
            let held = book.reservations.values.filter { $0.pool == key }.reduce(TokenCount.zero) { $0 + $1.held }
            let entries = pool.unsaved.granted + pool.unsaved.accrued + pool.unsaved.capped
            let max = pool.terms?.max ?? TokenCount(.max)
            if pool.balance < 0 || pool.reserved < 0 { return "a negative balance: \(pool)" }
            if pool.reserved != held { return "\(held) are held, not \(pool.reserved)" }
            if pool.balance > 0, pool.balance + pool.reserved > max { return "more than the maximum: \(pool)" }
            if pool.balance + pool.reserved != TokenCount(sums[pool.id] ?? 0) + entries {
                return "the entries do not add up: \(pool), saved \(sums[pool.id] ?? 0)"
            }
        }
        let billed = try queue.read { try Int64.fetchOne($0, sql: "SELECT sum(billed) FROM usage_events") } ?? 0
        let told = acknowledged.values.reduce(TokenCount.zero) { $0 + $1.billed }
        if told.rawValue != billed { return "\(told) were acknowledged, \(billed) are on disk" }
        if try spent() > mostGiven { return "more was spent than was ever given" }
        return nil
    }

    private func spent() throws -> TokenCount {
        let posts = "SELECT -sum(tokens) FROM entries WHERE kind = 'post'"
        return TokenCount(try queue.read { try Int64.fetchOne($0, sql: posts) } ?? 0)
    }

    private mutating func randomReserve() -> Ledger.Reserve {
        // Sometimes one that was there before.
        let request = Bool.random(using: &generator) ? requests.randomElement(using: &generator) : nil
        let prompt = Int64.random(in: 0...200, using: &generator)
        let call = Ledger.Reserve.test(
            request ?? .random(), account(), prompt: TokenCount(prompt), estimate: TokenCount(prompt / 3),
            outputs: .random(in: 0...2, using: &generator), limit: TokenCount(.random(in: 0...300, using: &generator)),
            model: Bool.random(using: &generator) ? "small" : "big",
            owner: Bool.random(using: &generator) ? "web-a" : "web-b")
        requests.append(call.request)
        return call
    }

    private mutating func account() -> Ledger.Account {
        let groups = Bool.random(using: &generator) ? ["default"] : ["default", "staff"]
        return .test(.random(in: 1...2, using: &generator), groups)
    }

    private mutating func passTime(_ milliseconds: Int64) {
        let before = now.wall
        now.wall = Timestamp(now.wall.rawValue + milliseconds)
        now.uptime += max(0, milliseconds) / 500
        // Both users, three pools each at most, at the highest refresh that there is.
        mostGiven += TokenCount(max(0, now.wall.rawValue - before.rawValue) * 6 * 500 / 3_600_000 + 6)
    }

    private mutating func changeBudgets() {
        let budgets: [Budget?] = [
            nil, .of(0), .of(100, refresh: 50), .of(400, refresh: 500, starting: 10), .of(1000), .unlimited,
        ]
        groups = [:]
        for name in ["default", "staff"] {
            var group = GroupConfiguration.test(name, budgets.randomElement(using: &generator) ?? nil)
            group.modelBudgets[ModelName("big")] = budgets.randomElement(using: &generator) ?? nil
            group.isDisabled = Int.random(in: 0..<4, using: &generator) == 0
            groups[group.name] = group
        }
        book.follow(groups, [.test("small"), .test("big")], at: now.wall)
        if mostGiven == 0 { mostGiven = 6000 }
    }

    private mutating func restart() throws {
        let (pools, clocks) = try queue.read(JournalStore.load)
        book = Book(pools: pools, clocks: clocks)
        book.follow(groups, [.test("small"), .test("big")], at: now.wall)
    }

    private mutating func renew() {
        let progress = requests.suffix(5).map { Ledger.Progress(request: $0, prompt: 3, completion: 9) }
        book.renew(Ledger.Renew(owner: InstanceID("web-a"), progress: progress), at: now)
    }

    /// A transaction, in the middle of which other things happen, and which may fail.
    private mutating func commit() throws {
        var posts = book.endLeases(at: now)
        for _ in 0..<Int.random(in: 0...4, using: &generator) {
            guard let request = requests.randomElement(using: &generator) else { break }
            posts.append(
                .test(
                    request, account(), prompt: TokenCount(.random(in: 0...100, using: &generator)),
                    completion: TokenCount(.random(in: 0...300, using: &generator))))
        }
        struct Refused: Error {}
        let isRefused = Int.random(in: 0..<4, using: &generator) == 0
        do {
            try queue.write { database in
                var recorded: [RequestID: Recorded] = [:]
                for post in posts {
                    recorded[post.request] = try UsageEventStore.recorded(post.request, database)
                }
                let commit = book.prepareCommit(posts, recorded: recorded, at: now.wall)
                try JournalStore.write(commit, at: now.wall, database)
                for _ in 0..<Int.random(in: 0...3, using: &generator) { meanwhile() }
                if isRefused { throw Refused() }
            }
        } catch is Refused {
            book.abandonCommit()
            book.isStorageFailing = false
            return
        }
        for case (let request, .success(let receipt)) in book.concludeCommit(at: now.wall).answers {
            let isFirst = acknowledged[request] == nil || acknowledged[request]?.billed == receipt.billed
            let isCorrection = !isFirst && receipt.billed + receipt.writtenOff > (acknowledged[request]?.total ?? 0)
            #expect(isFirst || isCorrection, "a post was answered twice, differently")
            acknowledged[request] = receipt
        }
    }

    private mutating func meanwhile() {
        switch Int.random(in: 0..<5, using: &generator) {
        case 0, 1: _ = book.reserve(randomReserve(), at: now)
        case 2: passTime(Int64.random(in: 0...600_000, using: &generator))
        case 3: if !disabled.contains(4) { changeBudgets() }
        default:
            if let request = requests.randomElement(using: &generator) { _ = book.void(request, at: now.wall) }
        }
    }
}

extension Ledger.Receipt {
    fileprivate var total: TokenCount { billed + writtenOff }
}

/// Small, fast and the same everywhere.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
