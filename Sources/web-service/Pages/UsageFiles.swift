import Hummingbird
import Logging
import SharedProtocol

/// Usage as files for spreadsheets.
extension Site {
    func usageFile(_ visit: Visit) async throws -> Response {
        try await usageFile(of: visit.person.id, visit)
    }

    func eventsFile(_ visit: Visit) async throws -> Response {
        try await eventsFile(of: visit.person.id, visit)
    }

    /// Somebody's sums in one file: the total, then each list, or only the one that `by` names.
    func usageFile(of user: UserID, _ visit: Visit) async throws -> Response {
        let period = try Period(visit)
        let aspects = try await aspects(of: user, visit)
        let report = try await ledger.call(
            Ledger.Report(user: user, month: period.month, users: 0), request: visit.id, timeout: Self.callTimeout)
        var lines: [[CSVCell]] = [["by", "name"] + Ledger.UsageSum.csvHeader, ["total", ""] + report.total.cells]
        for aspect in aspects {
            lines += aspect.lines(report).map { line in
                let isCoded = aspect.code == "source" || aspect.code == "group"
                return [.text(aspect.code), .text(isCoded ? line.name : aspect.label(line.name))] + line.sum.cells
            }
        }
        return Self.csv("usage-\(period.code).csv", lines)
    }

    private func aspects(of user: UserID, _ visit: Visit) async throws -> [UsageAspect] {
        let all = [UsageAspect.model, .key(await keyNames(of: user, visit)), .group, .source, .day]
        guard let by = visit.query("by") else { return all }
        guard let one = all.first(where: { $0.code == by }) else {
            throw PageProblem(.badRequest, "No such list", "There are lists by model, key, group, source and day.")
        }
        return [one]
    }

    /// Somebody's requests of a month, newest first, as they come from the ledger: no more than a page of them is in memory.
    func eventsFile(of user: UserID, _ visit: Visit) async throws -> Response {
        let period = try Period(visit)
        async let names = keyNames(of: user, visit)
        // Before the reply begins, so that a ledger that is away is a page and not an empty file.
        let first = try await eventsForFile(of: user, period, before: nil, visit)
        let file = EventsFile(keyNames: await names)
        return Self.csv(
            "requests-\(period.code).csv",
            ResponseBody { writer in
                try await file.write(to: &writer, first) { last in
                    try await eventsForFile(of: user, period, before: last, visit)
                }
            })
    }

    private func eventsForFile(
        of user: UserID, _ period: Period, before: Int64?, _ visit: Visit
    ) async throws(CallError) -> [Ledger.UsageEvent] {
        let call = Ledger.Events(
            user: user, before: before, limit: EventsFile.eventsPerCall, month: period.month)
        return try await ledger.call(call, request: visit.id, timeout: Self.callTimeout)
    }

    /// The names of somebody's keys that are not revoked; nil when auth cannot say.
    func keyNames(of user: UserID, _ visit: Visit) async -> [Int64: String]? {
        let keys = try? await auth.call(Auth.ListKeys(user: user), request: visit.id, timeout: Self.callTimeout)
        return keys.map { keys in Dictionary(keys.map { ($0.id.rawValue, $0.name) }) { first, _ in first } }
    }
}

/// How requests are written into a file.
struct EventsFile: Sendable {
    /// The newest ones; a file with more is of little use in a spreadsheet, and keeps the ledger reading.
    static let mostEvents = 100_000
    /// The most that one call to the ledger answers.
    static let eventsPerCall = 200

    var keyNames: [Int64: String]?
    var most = mostEvents

    /// - Parameters:
    ///   - first: a page of events, newest first.
    ///   - next: the page that follows an event. When it fails, the connection breaks: nobody shall take half a file for
    ///     the whole.
    @concurrent func write(
        to writer: inout any ResponseBodyWriter, _ first: [Ledger.UsageEvent],
        next: (Int64) async throws -> [Ledger.UsageEvent]
    ) async throws {
        try await writer.write(ByteBuffer(string: CSVText.line(Self.header)))
        var events = first
        var count = 0
        while !events.isEmpty {
            let lines = events.prefix(most - count).map { CSVText.line(cells($0)) }
            try await writer.write(ByteBuffer(string: lines.joined()))
            count += lines.count
            guard let last = events.last, events.count == Self.eventsPerCall, count < most else { break }
            events = try await next(last.id)
        }
        try await writer.finish(nil)
    }

    static let header: [CSVCell] = [
        "time", "request", "source", "key", "model", "prompt_tokens", "completion_tokens", "estimated",
        "billed_tokens", "written_off_tokens", "cost_usd", "duration_ms", "first_token_ms", "outcome",
    ]

    func cells(_ event: Ledger.UsageEvent) -> [CSVCell] {
        let key = event.key.map { UsageAspect.keyLabel(String($0.rawValue), keyNames) } ?? ""
        return [
            .time(event.usage.started), .text(event.request.rawValue), .text(event.source.rawValue), .text(key),
            .text(event.model.rawValue), .tokens(event.usage.prompt), .tokens(event.usage.completion),
            event.usage.isEstimated ? "yes" : "no", .tokens(event.billed), .tokens(event.writtenOff),
            .dollars(event.cost), .number(event.usage.durationMs),
            event.usage.firstTokenMs.map(CSVCell.number) ?? "", .text(event.usage.outcome.rawValue),
        ]
    }
}
