import SharedProtocol

/// One request that was billed.
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
        source = event.source.label
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

extension Ledger.Source {
    var label: String { self == .chat ? "Chat" : "API" }
}

/// A page of somebody's requests, or that they cannot be told.
struct EventList: Sendable {
    static let eventsPerPage = 50

    var events: [EventRow]
    var hasEvents: Bool
    var isUnavailable: Bool
    var isFirstPage: Bool
    /// Where the older events begin.
    var older: Int64?
    /// The page that the list stands on.
    var path: String
    /// What its addresses carry along.
    var month: String
    /// What the file covers, in words.
    var period: String
    var file: String
    /// How many requests the file has at most.
    var fileLimit = TokenCount(Int64(EventsFile.mostEvents)).grouped

    /// - Parameters:
    ///   - found: one more than is shown, when there are older ones; nil when the ledger cannot say.
    ///   - path: of the page; its events as a file are below it.
    init(_ found: [Ledger.UsageEvent]?, isFirstPage: Bool, path: String, period: Period) {
        let shown = found?.prefix(Self.eventsPerPage) ?? []
        events = shown.map(EventRow.init)
        hasEvents = !events.isEmpty
        isUnavailable = found == nil
        older = (found?.count ?? 0) > Self.eventsPerPage ? shown.last?.id : nil
        self.isFirstPage = isFirstPage
        self.path = path
        month = period.code
        self.period = period.text
        file = path + "/events.csv?month=" + period.code
    }
}
