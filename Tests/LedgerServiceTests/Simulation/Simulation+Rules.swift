import GRDB
import Testing

@testable import SharedProtocol
@testable import Storage
@testable import ledger_service

/// The model, and how random it is.
extension Simulation {
    static let models: [ModelConfiguration] = [.test("small", input: 3), .test("big", output: 7)]

    /// Throws when a rule is broken.
    mutating func check() throws {
        var held: [PoolKey: TokenCount] = [:]
        for reservation in book.reservations.values {
            for hold in reservation.holds { held[hold.pool, default: 0] += hold.tokens }
        }
        for (key, pool) in book.pools {
            let max = pool.terms?.max ?? TokenCount(.max)
            if pool.balance < 0 || pool.reserved < 0 { tally.overspent += 1 }
            try require(pool.balance >= 0 && pool.reserved >= 0, "a negative balance: \(pool)")
            try require(pool.reserved == held[key] ?? 0, "\(held[key] ?? 0) are held, not \(pool.reserved)")
            try require(pool.balance == 0 || pool.balance + pool.reserved <= max, "more than the maximum: \(pool)")
        }
        guard chance(of: 16) else { return }
        try checkDisk()
    }

    private mutating func checkDisk() throws {
        let (sums, posted, billed) = try disk.read { database in
            let connection = Storage.SQLiteConnection(database)
            let sums = try connection.rows("SELECT pool_id, sum(tokens) FROM entries GROUP BY pool_id")
            let posted: Int64? = try connection.value("SELECT -sum(tokens) FROM entries WHERE kind = 'post'")
            let billed = try connection.rows("SELECT request, sum(billed) FROM usage_events GROUP BY request")
            return (sums, posted ?? 0, billed)
        }
        let entries = Dictionary(uniqueKeysWithValues: sums.map { ($0[0] as Int64, TokenCount($0[1] as Int64)) })
        if book.committing == nil {
            for pool in book.pools.values {
                let saved = entries[pool.id] ?? 0
                try require(
                    pool.balance + pool.reserved == saved + pool.unsaved.total, "the entries do not add up: \(pool)")
            }
        }
        let minted = try disk.read { database in
            try Storage.SQLiteConnection(database).rows(
                "SELECT request FROM entries WHERE kind = 'post' GROUP BY request, pool_id HAVING sum(tokens) > 0")
        }
        try require(minted.isEmpty, "a pool was given back more than it had paid")
        if TokenCount(posted) > mostGiven { tally.overspent += 1 }
        try require(TokenCount(posted) <= mostGiven, "more was spent than was ever given")
        let onDisk = Dictionary(uniqueKeysWithValues: billed.map { ($0[0] as String, TokenCount($0[1] as Int64)) })
        for (request, receipt) in receipts where onDisk[request.rawValue] ?? -1 < receipt.billed {
            tally.lostPosts += 1
            throw Broken(rule: "\(request) was acknowledged with \(receipt), and is not on disk")
        }
    }

    struct Broken: Error, CustomStringConvertible {
        let rule: String
        var description: String { rule }
    }

    private func require(_ holds: Bool, _ rule: @autoclosure () -> String) throws {
        if !holds { throw Broken(rule: rule()) }
    }

    mutating func isLost() -> Bool { chance(of: 25) }

    mutating func chance(of one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }

    mutating func randomReserve(_ owner: InstanceID) -> Ledger.Reserve {
        let prompt = Int64.random(in: 0...60, using: &random)
        let groups = [["default"], ["default", "staff"], ["default", "lab"]].randomElement(using: &random) ?? []
        return .test(
            .test(random.next()), .test(.random(in: 1...3, using: &random), groups), prompt: TokenCount(prompt),
            outputs: .random(in: 0...2, using: &random),
            limit: TokenCount(.random(in: 0...90, using: &random)),
            model: Bool.random(using: &random) ? "small" : "big",
            owner: owner.rawValue, cap: chance(of: 3) ? 5000 : nil)
    }

    /// - Parameter ofPanel: of a group that admins made, else of the file's, which now and then names that group, too.
    mutating func changeBudgets(ofPanel: Bool = false) {
        if ofPanel {
            for entry in [Ledger.GroupEntry.default, .model(ModelName("big")), .shared] {
                let call = Ledger.SetGroupBudget(group: GroupName("lab"), entry: entry, budget: randomBudget(entry))
                let isRefused = (try? book.setGroupBudget(call, at: now.wall)) == nil
                #expect(isRefused == (groups[call.group] != nil), "the file's groups are the file's")
            }
        } else {
            groups = [:]
            for name in ["default", "staff"] + (chance(of: 4) ? ["lab"] : []) {
                var group = GroupConfiguration.test(name, randomBudget(.default))
                group.modelBudgets[ModelName("big")] = randomBudget(.model(ModelName("big")))
                group.sharedBudget = randomBudget(.shared)
                group.isDisabled = chance(of: 6)
                groups[group.name] = group
            }
            book.follow(groups, Self.models, at: now.wall)
        }
        // Three users with two pools, three groups, a key: what each begins with at most.
        if mostGiven == 0 { mostGiven = 53_000 }
    }

    private mutating func randomBudget(_ entry: Ledger.GroupEntry) -> Budget? {
        if entry == .shared { return Bool.random(using: &random) ? .of(6000, refresh: 500) : nil }
        let budgets: [Budget?] = [
            nil, .of(0), .of(300, refresh: 50), .of(400, refresh: 500, starting: 10), .of(2000), .of(5000), .unlimited,
        ]
        return budgets.randomElement(using: &random) ?? nil
    }

    mutating func administer() {
        let account = Ledger.Account.test(.random(in: 1...3, using: &random), ["default", "staff"])
        if Bool.random(using: &random) {
            let budgets: [Budget?] = [nil, .of(700, refresh: 20), .unlimited]
            let budget: Budget? = budgets.randomElement(using: &random) ?? nil
            let pool = Bool.random(using: &random) ? "default" : "big"
            book.setOverride(Ledger.SetOverride(user: account.user, pool: pool, budget: budget), at: now.wall)
        } else if (try? book.reset(.user(account, pool: "default"), at: now.wall)) != nil {
            mostGiven += 5000
        }
        if (try? book.reset(.group(GroupName("staff")), at: now.wall)) != nil { mostGiven += 6000 }
    }
}

extension RequestID {
    static func test(_ number: UInt64) -> RequestID { RequestID("req_" + String(number, radix: 36)) }
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
