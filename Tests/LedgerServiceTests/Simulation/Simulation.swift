import GRDB
import Testing

@testable import SharedProtocol
@testable import Storage
@testable import ledger_service

/// A ledger, its database, its webs and their clients in one thread and one seed: everything that can happen to them
/// happens in random order, with lost and repeated messages, failing statements and crashes of either side, and after every
/// step the rules are checked against what a few sums say.
struct Simulation {
    var random: SplitMix
    let disk: DatabaseQueue
    var book = Book()
    var now = Moment(wall: .start, uptime: 0)
    var groups: [GroupName: GroupConfiguration] = [:]
    var webs: [SimulatedWeb] = []
    /// Posts that arrived and are not committed yet.
    var inbox: [Ledger.Post] = []
    var tally = Tally()

    // The model.
    /// What callers were told that requests cost.
    var receipts: [RequestID: Ledger.Receipt] = [:]
    /// All that users, groups and keys can have been given.
    var mostGiven: TokenCount = 0

    init(seed: UInt64) throws {
        random = SplitMix(state: seed)
        disk = try DatabaseQueue()
        try disk.write { database in
            let connection = Storage.SQLiteConnection(database)
            for migration in Schema.migrations { try connection.script(migration.sqlite) }
        }
        webs = [SimulatedWeb(1), SimulatedWeb(2)]
        changeBudgets()
    }

    /// Runs until `requests` have begun, and then until nothing is under way any more.
    mutating func run(requests: Int) throws {
        while tally.requests < requests {
            try step()
            try check()
        }
        try settle()
    }

    private mutating func step() throws {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<34: begin()
        case 34..<44: produce()
        case 44..<66: finish()
        case 66..<84: try commit()
        case 84..<88: passTime()
        case 88..<90: sweep()
        case 90..<92: changeBudgets(ofPanel: Bool.random(using: &random))
        case 92..<93: administer()
        case 93..<95: if let request = book.waiting.keys.min(by: { $0.rawValue < $1.rawValue }) { giveUp(request) }
        case 95..<97: try crashLedger()
        case 97..<98: crashWeb()
        default: retryPending()
        }
    }

    // What clients and webs do

    private mutating func begin() {
        let web = Int.random(in: 0..<webs.count, using: &random)
        tally.requests += 1
        let call = randomReserve(webs[web].instance)
        guard !isLost() else { return }
        let outcome = book.reserve(call, at: now)
        if Bool.random(using: &random) {
            #expect(book.reserve(call, at: now) == outcome, "a repeated reserve was answered differently")
        }
        if case .decided(.granted(let grant)) = outcome {
            tally.granted += grant.reserved
            // A web that does not hear the answer gives the reservation back.
            if isLost() { webs[web].unheard.insert(call.request) } else { webs[web].begin(call, grant) }
        }
    }

    private mutating func produce() {
        for index in webs.indices {
            for request in webs[index].live.keys where Bool.random(using: &random) {
                webs[index].produce(request, upTo: Int64.random(in: 0...40, using: &random))
            }
            guard !isLost() else { continue }
            book.renew(Ledger.Renew(owner: webs[index].instance, progress: webs[index].progress), at: now)
        }
    }

    private mutating func finish() {
        let index = Int.random(in: 0..<webs.count, using: &random)
        guard let request = webs[index].anyLive(using: &random) else { return }
        guard let post = webs[index].end(request, lies: chance(of: 20)) else {
            webs[index].unheard.insert(request)
            return voidUnheard(of: index)
        }
        if !isLost() { inbox.append(post) }
    }

    private mutating func retryPending() {
        for index in webs.indices {
            voidUnheard(of: index)
            inbox += webs[index].pending.values.sorted { $0.request.rawValue < $1.request.rawValue }
        }
    }

    private mutating func voidUnheard(of index: Int) {
        for request in webs[index].unheard where !isLost() {
            _ = book.void(request, at: now.wall)
            webs[index].unheard.remove(request)
        }
    }

    private mutating func giveUp(_ request: RequestID) {
        book.stopWaiting(request, at: now.wall)
        hearDecisions()
    }

    /// Requests that had waited and were reserved: their webs hear it now.
    mutating func hearDecisions() {
        for request in book.decided {
            guard let reservation = book.reservations[request],
                let index = webs.firstIndex(where: { $0.instance == reservation.owner })
            else { continue }
            tally.granted += reservation.grant.reserved
            webs[index].unheard.insert(request)
        }
        book.decided = []
    }

    // What happens by itself

    private mutating func passTime() {
        let step = Int64.random(in: -3_600_000...7_200_000, using: &random)
        now.wall = Timestamp(now.wall.rawValue + step)
        now.uptime += Int64.random(in: 0...4000, using: &random)
        mostGiven += TokenCount(max(0, step) * 12 * 500 / 3_600_000 + 12)
    }

    private mutating func sweep() {
        inbox += book.endLeases(at: now)
        for index in webs.indices {
            book.renew(Ledger.Renew(owner: webs[index].instance, progress: []), at: now)
        }
    }

    private mutating func crashWeb() {
        let index = Int.random(in: 0..<webs.count, using: &random)
        tally.webCrashes += 1
        tally.diedWith(webs[index])
        // Its pending posts are on disk, and its successor delivers them.
        let successor = SimulatedWeb(2 + tally.webCrashes, pending: webs[index].pending)
        webs[index] = successor
        now.uptime += OwnerLeases.length + 1
        sweep()
    }

    mutating func crashLedger() throws {
        tally.ledgerCrashes += 1
        inbox = []
        let stored = try disk.read { try JournalStore.load(Storage.SQLiteConnection($0)) }
        book = Book(budgets: stored.budgets, pools: stored.pools)
        book.uptime = now.uptime
        book.takeUp(stored.reservations, of: stored.owners, uptime: now.uptime)
        book.follow(groups, Self.models, at: now.wall)
        for web in webs.shuffled(using: &random) { book.assert(web.assertion, at: now) }
    }
}
