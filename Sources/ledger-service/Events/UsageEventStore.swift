import GRDB
import SharedProtocol

/// The usage events: one row for each billed request, and one for its correction. Every number about usage derives from
/// them.
enum UsageEventStore {
    static func insert(_ settlement: Settlement, at now: Timestamp, _ database: Database) throws {
        let insert = try database.cachedStatement(
            sql: """
                INSERT INTO usage_events (request, is_correction, time, user_id, group_name, key_id, source, model,
                    endpoint, prompt, completion, is_estimated, started, duration_ms, first_token_ms, outcome, billed,
                    written_off, cost)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """)
        let (bill, usage, receipt) = (settlement.bill, settlement.usage, settlement.receipt)
        try insert.execute(arguments: [
            settlement.request.rawValue, settlement.isCorrection, now.rawValue, bill.account.user.rawValue,
            bill.group?.rawValue, bill.key?.rawValue, bill.source.rawValue, bill.model.rawValue, usage.endpoint,
            usage.prompt.rawValue, usage.completion.rawValue, usage.isEstimated, usage.started.rawValue,
            usage.durationMs, usage.firstTokenMs, usage.outcome.rawValue, receipt.billed.rawValue,
            receipt.writtenOff.rawValue, receipt.cost.rawValue,
        ])
    }

    /// What has been billed for a request; nil: nothing.
    static func recorded(_ request: RequestID, _ database: Database) throws -> Recorded? {
        let select = try database.cachedStatement(
            sql: "SELECT prompt, completion, billed, written_off, cost, outcome FROM usage_events WHERE request = ?")
        let rows = try Row.fetchCursor(select, arguments: [request.rawValue])
        var recorded: Recorded?
        while let row = try rows.next() {
            let receipt = Ledger.Receipt(
                billed: TokenCount(row[2]), writtenOff: TokenCount(row[3]), cost: NanoDollars(row[4]))
            recorded = Recorded(
                prompt: TokenCount(row[0]) + (recorded?.prompt ?? 0),
                completion: TokenCount(row[1]) + (recorded?.completion ?? 0),
                receipt: recorded.map { $0.receipt + receipt } ?? receipt,
                mayBeCorrected: recorded == nil && row[5] == Ledger.Outcome.lost.rawValue)
        }
        return recorded
    }

    /// A user's events before an id, newest first. Walks the index of the user's rows: no scan.
    static func page(of user: UserID, before: Int64?, limit: Int, _ database: Database) throws -> [Ledger.UsageEvent] {
        try Row.fetchAll(
            database,
            sql: """
                SELECT id, request, key_id, source, model, prompt, completion, is_estimated, endpoint, started,
                    duration_ms, first_token_ms, outcome, billed, written_off, cost
                FROM usage_events WHERE user_id = ? AND id < ? ORDER BY id DESC LIMIT ?
                """,
            arguments: [user.rawValue, before ?? .max, limit]
        ).map(event)
    }

    private static func event(_ row: Row) -> Ledger.UsageEvent {
        Ledger.UsageEvent(
            id: row[0], request: RequestID(row[1] as String), key: (row[2] as Int64?).map { KeyID($0) },
            source: Ledger.Source(row[3] as String), model: ModelName(row[4] as String),
            usage: Ledger.Usage(
                prompt: TokenCount(row[5]), completion: TokenCount(row[6]), isEstimated: row[7], endpoint: row[8],
                started: Timestamp(row[9]), durationMs: row[10], firstTokenMs: row[11],
                outcome: Ledger.Outcome(row[12] as String)),
            billed: TokenCount(row[13]), writtenOff: TokenCount(row[14]), cost: NanoDollars(row[15]))
    }
}
