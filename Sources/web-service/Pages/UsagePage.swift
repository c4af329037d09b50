import Hummingbird
import SharedProtocol

extension Site {
    /// What is left, and what was used.
    func usage(_ visit: Visit) async throws -> Response {
        let before = visit.query("before").flatMap { Int64($0) }
        let events = Ledger.Events(user: visit.person.id, before: before, limit: UsagePage.eventsPerPage + 1)
        async let sheet = balances(for: visit)
        let list = try? await ledger.call(events, request: visit.id, timeout: Self.callTimeout)
        let content = UsagePage(sheet: await sheet, events: list, isFirstPage: before == nil)
        return page("usage", title: "Usage", content, for: visit)
    }
}

/// The reader's pools and recent requests.
struct UsagePage: Sendable {
    static let eventsPerPage = 50

    var pools: [PoolRow]
    var hasNoPools: Bool
    var arePoolsUnavailable: Bool
    var events: [EventRow]
    var hasNoEvents: Bool
    var areEventsUnavailable: Bool
    /// Where the older events begin.
    var older: Int64?
    var isFirstPage: Bool

    /// - Parameter events: one more than is shown, when there are older ones; nil when the ledger cannot say.
    init(sheet: Ledger.BalanceSheet?, events: [Ledger.UsageEvent]?, isFirstPage: Bool) {
        pools = sheet?.pools.map(PoolRow.init) ?? []
        hasNoPools = sheet?.pools.isEmpty ?? false
        arePoolsUnavailable = sheet == nil
        let shown = events?.prefix(Self.eventsPerPage) ?? []
        self.events = shown.map(EventRow.init)
        hasNoEvents = events?.isEmpty ?? false
        areEventsUnavailable = events == nil
        older = (events?.count ?? 0) > Self.eventsPerPage ? shown.last?.id : nil
        self.isFirstPage = isFirstPage
    }
}

/// One pool, for `/usage` and for the chat's head.
struct PoolRow: Sendable, Codable, Hashable {
    /// `All other models`, or the model that the pool is for.
    var label: String
    var name: String
    var isUnlimited: Bool
    var balance: String
    var max: String
    var refill: String
    var reserved: String?
    /// How full it is, 0 to 100.
    var percent: Int

    init(_ pool: Ledger.Pool) {
        label = pool.name == "default" ? "All models without a budget of their own" : pool.name
        name = pool.name
        isUnlimited = pool.balance == nil
        balance = pool.balance?.grouped ?? "unlimited"
        max = pool.max?.grouped ?? "unlimited"
        refill = pool.refresh > .zero ? "\(pool.refresh.grouped) an hour" : "none"
        reserved = pool.reserved > .zero ? pool.reserved.grouped : nil
        let share = Double(pool.balance?.rawValue ?? 1) / Double(Swift.max(1, pool.max?.rawValue ?? 1))
        percent = Swift.min(100, Swift.max(0, Int(share * 100)))
    }
}

/// One request.
struct EventRow: Sendable {
    var time: Moment
    var model: String
    var source: String
    var prompt: String
    var completion: String
    var isEstimated: Bool
    var billed: String
    /// What the backend used beyond the budget, paid by nobody; absent when that is nothing.
    var writtenOff: String?
    var cost: String
    var seconds: String
    var outcome: String

    init(_ event: Ledger.UsageEvent) {
        time = Moment(event.usage.started)
        model = event.model.rawValue
        source = event.source == .chat ? "Chat" : "API"
        prompt = event.usage.prompt.grouped
        completion = event.usage.completion.grouped
        isEstimated = event.usage.isEstimated
        billed = event.billed.grouped
        writtenOff = event.writtenOff > 0 ? event.writtenOff.grouped : nil
        cost = event.cost.dollars
        seconds = Self.seconds(event.usage.durationMs)
        outcome = event.usage.outcome.rawValue
    }

    /// One decimal: `1.3`.
    static func seconds(_ milliseconds: Int64) -> String {
        let tenths = (milliseconds + 50) / 100
        return "\(tenths / 10).\(tenths % 10)"
    }
}
