import Logging
import Storage
import StorageTesting
import Synchronization

@testable import SharedProtocol
@testable import ledger_service

/// A ledger on a database of its own, called as by web, with a clock that the test sets.
final class TestLedger: Sendable {
    let store: TestDatabase
    let clock: TestClock
    let database: ServiceDatabase
    let engine: any LedgerEngine
    private let caller: InProcessCaller
    private let work: Task<Void, any Error>

    init(
        _ groups: [GroupConfiguration], _ models: [ModelConfiguration] = [.test("small")],
        in store: TestDatabase? = nil, clock: TestClock = TestClock()
    ) async throws {
        self.clock = clock
        let store = try store ?? TestDatabase()
        self.store = store
        database = try store.open(.ledger, Schema.migrations)
        switch database.engine {
        case .sqlite:
            let local = try await LocalLedger(database, clock: { clock.now }, logger: .silent)
            engine = local
            work = Task { try await local.journal.run() }
        case .postgres:
            let shared = SharedLedger(database, clock: { clock.now }, logger: .silent)
            engine = shared
            work = Task { try await shared.run() }
        }
        caller = InProcessCaller(LedgerCalls(engine: engine, database: database, logger: .silent).table)
        try await follow(groups, models)
    }

    func follow(_ groups: [GroupConfiguration], _ models: [ModelConfiguration] = [.test("small")]) async throws {
        let groups = Dictionary(uniqueKeysWithValues: groups.map { ($0.name, $0) })
        engine.follow(groups, models)
        // On PostgreSQL the change is written down a moment later.
        while let shared = engine as? SharedLedger, try await !shared.hasWritten(groups) {
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    func call<C: Call>(_ call: C) async throws(CallError) -> C.Reply {
        try await caller.call(call, request: nil, timeout: .seconds(30))
    }

    /// Has leases looked at that have run out, and returns when what they held is settled.
    func sweep() async throws {
        (engine as? LocalLedger)?.housekeeping.sweep()
        (engine as? SharedLedger)?.sweep()
        // Goes into the transaction that sweeps, or a later one.
        _ = try? await call(Ledger.Void(request: .random()))
        try await engine.save()
    }

    /// Stops it, as a process that is asked to end.
    func stop() async throws {
        work.cancel()
        try await work.value
    }

    func fetch<Value: SQLConvertible>(_ sql: String) async throws -> Value? {
        try await database.read { try $0.value(sql) }
    }

    deinit { work.cancel() }
}

extension SharedLedger {
    /// Whether the database has the budgets of these groups.
    func hasWritten(_ groups: [GroupName: GroupConfiguration]) async throws -> Bool {
        try await database.read { connection in
            var budgets = try BudgetStore.load(connection)
            return !budgets.follow(groups, [], at: .start)
        }
    }
}

final class TestClock: Sendable {
    private let moment = Mutex(Moment(wall: .start, uptime: 0))

    var now: Moment { moment.withLock { $0 } }

    /// Lets time pass by both clocks.
    func pass(_ milliseconds: Int64) {
        moment.withLock { $0 = Moment(wall: $0.wall + milliseconds, uptime: $0.uptime + milliseconds) }
    }
}

extension Logger {
    static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
}

extension Timestamp {
    /// Some moment of 2026.
    static let start = Timestamp(1_780_000_000_000)
    static func + (a: Timestamp, milliseconds: Int64) -> Timestamp { Timestamp(a.rawValue + milliseconds) }
}

extension GroupConfiguration {
    static func test(
        _ name: String = "default", _ budget: Budget? = nil, models: [String: Budget] = [:], shared: Budget? = nil,
        isDisabled: Bool = false
    ) -> GroupConfiguration {
        GroupConfiguration(
            name: GroupName(name), rules: [], match: .all, isDisabled: isDisabled, defaultBudget: budget,
            modelBudgets: Dictionary(uniqueKeysWithValues: models.map { (ModelName($0), $1) }), sharedBudget: shared)
    }
}

extension Budgets {
    /// - Parameters:
    ///   - panel: groups that admins made.
    ///   - overrides: of user 1.
    static func test(
        _ groups: [GroupConfiguration], panel: [GroupConfiguration] = [], overrides: [String: Budget] = [:]
    ) -> Budgets {
        var budgets = Budgets(panel: Dictionary(uniqueKeysWithValues: panel.map { ($0.name, $0) }))
        _ = budgets.follow(Dictionary(uniqueKeysWithValues: groups.map { ($0.name, $0) }), [], at: .start)
        for (pool, budget) in overrides {
            _ = budgets.setOverride(budget, for: UserID(1), PoolName(rawValue: pool), at: .start)
        }
        return budgets
    }
}

extension Budget {
    static func of(_ max: TokenCount, refresh: TokenCount = 0, starting: TokenCount? = nil) -> Budget {
        Budget(max: .tokens(max), refresh: refresh, starting: starting ?? max)
    }

    static let unlimited = Budget(max: .unlimited, refresh: 0, starting: 0)
}

extension ModelConfiguration {
    /// - Parameters:
    ///   - input, output: nano-dollars per million tokens.
    static func test(_ name: String, input: Int64 = 0, output: Int64 = 0, isActive: Bool = true) -> ModelConfiguration {
        ModelConfiguration(
            name: ModelName(name), isActive: isActive, inputPrice: TokenPrice(nanoDollarsPerMillion: input),
            outputPrice: TokenPrice(nanoDollarsPerMillion: output), description: "", contextWindow: nil,
            maxOutputTokens: nil, imageTokens: 0, templateTokens: 0, endpoints: [])
    }
}

extension Ledger.Account {
    static func test(_ user: Int64 = 1, _ groups: [String] = ["default"], created: Timestamp = .start) -> Ledger.Account
    {
        Ledger.Account(user: UserID(user), groups: groups.map { GroupName($0) }, created: created)
    }
}

extension Ledger.Reserve {
    static func test(
        _ request: RequestID = .random(), _ account: Ledger.Account = .test(), prompt: TokenCount = 0,
        outputs: Int64 = 1, limit: TokenCount, model: String = "small",
        owner: String = "web", cap: TokenCount? = nil
    ) -> Ledger.Reserve {
        Ledger.Reserve(
            request: request, owner: InstanceID(owner), account: account, key: KeyID(7), keyCap: cap, source: .api,
            model: ModelName(model), promptBound: prompt, outputs: outputs, outputLimit: limit)
    }
}

extension Ledger.Post {
    static func test(
        _ request: RequestID, _ account: Ledger.Account = .test(), prompt: TokenCount = 0, completion: TokenCount,
        model: String = "small", endpoint: String? = nil
    ) -> Ledger.Post {
        Ledger.Post(
            request: request, account: account, key: KeyID(7), source: .api, model: ModelName(model),
            usage: Ledger.Usage(
                prompt: prompt, completion: completion, isEstimated: false, endpoint: endpoint, started: .start,
                durationMs: 12, firstTokenMs: 3, outcome: .completed))
    }
}

extension Ledger.Decision {
    var grant: Ledger.Grant? { if case .granted(let grant) = self { grant } else { nil } }
    var refusal: Ledger.Refusal? { if case .refused(let refusal) = self { refusal } else { nil } }
}
