import Logging
import NIOConcurrencyHelpers
import SharedProtocol

@testable import web_service

/// What admins ask of auth and ledger, answered as a test wants it.
extension ScriptedServices {
    func addAdminCalls(toAuth table: inout CallTable) {
        table.on(Auth.FindUsers.self) { [self] call, _ throws(CallError) in
            try answer("find \(call.search) \(call.offset) \(call.sort) \(call.isDescending ? "down" : "up")")
            let all = users.withLockedValue { $0 }
            return Auth.UserPage(users: Array(all.dropFirst(call.offset).prefix(call.limit)), total: all.count)
        }
        table.on(Auth.GetUser.self) { [self] call, _ throws(CallError) in
            try answer("get")
            guard let user = users.withLockedValue({ $0 }).first(where: { $0.person.id == call.user }) else {
                throw CallError(.notFound, "There is no such user.")
            }
            return user
        }
        table.on(Auth.FindUser.self) { [self] call, _ throws(CallError) in
            try answer("find user \(call.email)")
            let found = users.withLockedValue { $0 }.first { $0.person.email == call.email.lowercased() }
            guard let found else { throw CallError(.notFound, "There is no such user.") }
            return found
        }
        table.on(Auth.NamesOf.self) { [self] call, _ throws(CallError) in
            try answer("names \(call.users.count)")
            return call.users.filter { $0 == .ada }.map { Auth.UserName(user: $0, email: "=ada@example.edu") }
        }
    }

    func addAdminCalls(toLedger table: inout CallTable) {
        table.on(Ledger.Report.self) { [self] call, _ throws(CallError) in
            try answer(
                "report \(call.user?.description ?? "all") \(call.month?.rawValue ?? "ever") \(call.users)",
                isLedgers: true)
            return report.withLockedValue { $0 }
        }
        table.on(Ledger.Overrides.self) { [self] _, _ throws(CallError) in
            try answer("overrides", isLedgers: true)
            return overrides.withLockedValue { $0 }
        }
        table.on(Ledger.SetOverride.self) { [self] call, _ throws(CallError) in
            let budget = call.budget.map { "\($0.max.code) \($0.refresh) \($0.starting)" } ?? "none"
            try answer("set \(call.user) \(call.pool) \(budget)", isLedgers: true)
            return Done()
        }
        table.on(Ledger.Reset.self) { [self] call, _ throws(CallError) in
            switch call.target {
            case .user(let account, let pool): try answer("reset \(account.user) \(pool)", isLedgers: true)
            case .group(let group): try answer("reset group \(group)", isLedgers: true)
            }
            if case .user(_, "untouched") = call.target { throw CallError(.notFound, "no") }
            return Done()
        }
        table.on(Ledger.GroupBudgets.self) { [self] _, _ throws(CallError) in
            try answer("groups", isLedgers: true)
            return [.ofPanel, .sample]
        }
        table.on(Ledger.SetGroupBudget.self) { [self] call, _ throws(CallError) in
            let budget = call.budget.map { "\($0.max.code) \($0.refresh) \($0.starting)" } ?? "none"
            try answer("set group \(call.group) \(call.entry) \(budget)", isLedgers: true)
            return Done()
        }
    }

    /// A page of the requests, newest first.
    func events(_ call: Ledger.Events) -> [Ledger.UsageEvent] {
        let newest = min(call.before.map { $0 - 1 } ?? .max, eventCount.withLockedValue { $0 })
        return stride(from: newest, to: max(0, newest - Int64(call.limit)), by: -1).map { id in
            Ledger.UsageEvent(
                id: id, request: RequestID("req_\(id)"), key: KeyID(id % 2 == 0 ? 7 : 8), source: .api,
                model: "=dummy", usage: .sample, billed: 12, writtenOff: 3, cost: 1_500)
        }
    }
}

extension Ledger.Usage {
    static let sample = Ledger.Usage(
        prompt: 10, completion: 5, isEstimated: false, endpoint: nil, started: Timestamp(1_795_500_000_000),
        durationMs: 1_250, firstTokenMs: nil, outcome: .completed)
}

extension Ledger.UsageReport {
    static let sample: Ledger.UsageReport = {
        let sum = Ledger.UsageSum(
            requests: 1_500, prompt: 90_000, completion: 10_000, billed: 99_000, writtenOff: 1_000,
            cost: 12_345_678_901)
        func line(_ name: String) -> Ledger.UsageLine { Ledger.UsageLine(name: name, sum: sum) }
        return Ledger.UsageReport(
            total: sum, days: [line("2026-11-23"), line("2026-11-24")], models: [line("dummy"), line("<b>big</b>")],
            groups: [line("default"), line("")], sources: [line("chat"), line("api")],
            keys: [line(""), line("7"), line("8")], users: [line("1"), line("2")])
    }()
}

extension Ledger.GroupBudget {
    static let ofPanel = Ledger.GroupBudget(
        group: "chem", isDisabled: false,
        budgets: [
            Ledger.Override(pool: "dummy", budget: Budget(max: .tokens(7_000), refresh: 3, starting: 5)),
            Ledger.Override(pool: "a/b&c", budget: Budget(max: .tokens(8), refresh: 0, starting: 8)),
        ],
        shared: Ledger.Pool(
            holder: .group, name: "chem", balance: 60, reserved: 0, max: 600, refresh: 0, group: "chem"),
        isLocked: false, sharedBudget: Budget(max: .tokens(600), refresh: 0, starting: 60))

    static let sample = Ledger.GroupBudget(
        group: "lab & co", isDisabled: true,
        budgets: [
            Ledger.Override(pool: "default", budget: Budget(max: .tokens(5_000), refresh: 100, starting: 2_000)),
            Ledger.Override(pool: "dummy", budget: Budget(max: .unlimited, refresh: 0, starting: 0)),
        ],
        shared: Ledger.Pool(
            holder: .group, name: "lab & co", balance: 400, reserved: 100, max: 1_000, refresh: 250,
            group: "lab & co"))
}

extension GroupName: ExpressibleByStringLiteral {
    public init(stringLiteral name: String) { self.init(rawValue: name) }
}

/// Keeps the metadata of each line.
struct RecordingLog: LogHandler {
    let lines: NIOLockedValueBox<[Logger.Metadata]>
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        lines.withLockedValue { $0.append(event.metadata ?? [:]) }
    }
}
