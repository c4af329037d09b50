import SharedProtocol
import Storage

/// The usage events: one row for each billed request, and one for its correction. Every number about usage derives from
/// them.
enum UsageEventStore {
    static func insert(
        _ settlement: Settlement, at now: Timestamp, on day: CalendarDay, _ connection: any SQLConnection
    ) throws {
        let (bill, usage, receipt) = (settlement.bill, settlement.usage, settlement.receipt)
        try connection.execute(
            """
            INSERT INTO usage_events (request, is_correction, time, day, user_id, group_name, key_id, source, model,
                endpoint, prompt, completion, is_estimated, started, duration_ms, first_token_ms, outcome, billed,
                written_off, cost)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                settlement.request.rawValue, settlement.isCorrection, now.rawValue, day.rawValue,
                bill.account.user.rawValue,
                bill.group?.rawValue, bill.key?.rawValue, bill.source.rawValue, bill.model.rawValue, usage.endpoint,
                usage.prompt.rawValue, usage.completion.rawValue, usage.isEstimated, usage.started.rawValue,
                usage.durationMs, usage.firstTokenMs, usage.outcome.rawValue, receipt.billed.rawValue,
                receipt.writtenOff.rawValue, receipt.cost.rawValue,
            ])
    }

    /// What has been billed for requests; those that are not named have not been.
    static func recorded(
        _ requests: [RequestID], _ connection: any SQLConnection
    ) throws -> [RequestID: Recorded] {
        var recorded: [RequestID: Recorded] = [:]
        for request in Set(requests) {
            for row in try connection.rows(recordedQuery, [request.rawValue]) { note(row, in: &recorded) }
        }
        try addPayments(to: &recorded, connection)
        return recorded
    }

    /// Adds which pools paid for what may be corrected.
    static func addPayments(to recorded: inout [RequestID: Recorded], _ connection: any SQLConnection) throws {
        for (request, found) in recorded where found.mayBeCorrected {
            let rows = try connection.rows(
                """
                SELECT holder, name, tokens FROM lost_payments JOIN pools ON pools.id = pool_id
                WHERE request = ? ORDER BY pool_id
                """, [request.rawValue])
            recorded[request]?.payments = rows.compactMap { row in
                PoolHolder(rawValue: row[0]).map {
                    Recorded.Payment(
                        pool: PoolKey(holder: $0, name: PoolName(row[1] as String)), tokens: TokenCount(row[2]))
                }
            }
        }
    }

    /// Notes which pools paid for a request of a dead owner, in case that it comes back and used less.
    ///
    /// - Parameter id: of a pool's row.
    static func notePayments(
        for settlement: Settlement, on day: CalendarDay, _ connection: any SQLConnection, id: (PoolKey) -> Int64?
    ) throws {
        guard settlement.usage.outcome == .lost, !settlement.isCorrection else { return }
        for charge in settlement.charges where charge.charged > 0 {
            try connection.execute(
                "INSERT INTO lost_payments (request, pool_id, tokens, day) VALUES (?, ?, ?, ?)",
                [settlement.request.rawValue, id(charge.pool), charge.charged.rawValue, day.rawValue])
        }
    }

    private static let recordedQuery = "SELECT \(recordedColumns) FROM usage_events WHERE request = ?"
    static let recordedColumns = "request, prompt, completion, billed, written_off, cost, outcome"

    /// A request has one row, and a second one when it was corrected.
    static func note(_ row: SQLRow, in recorded: inout [RequestID: Recorded]) {
        let request = RequestID(row[0] as String)
        let before = recorded[request]
        let receipt = Ledger.Receipt(
            billed: TokenCount(row[3]), writtenOff: TokenCount(row[4]), cost: NanoDollars(row[5]))
        recorded[request] = Recorded(
            prompt: TokenCount(row[1]) + (before?.prompt ?? 0),
            completion: TokenCount(row[2]) + (before?.completion ?? 0),
            receipt: before.map { $0.receipt + receipt } ?? receipt,
            mayBeCorrected: before == nil && row[6] as String == Ledger.Outcome.lost.rawValue)
    }

    /// A user's events before an id, newest first. Walks the index of the user's rows, for an old month past the newer ones:
    /// no scan of the others'.
    static func page(_ call: Ledger.Events, _ connection: any SQLConnection) throws -> [Ledger.UsageEvent] {
        let days = call.month.days
        return try connection.rows(
            """
            SELECT id, request, key_id, source, model, prompt, completion, is_estimated, endpoint, started,
                duration_ms, first_token_ms, outcome, billed, written_off, cost
            FROM usage_events WHERE user_id = ? AND id < ? AND day >= ? AND day < ? ORDER BY id DESC LIMIT ?
            """,
            [call.user.rawValue, call.before ?? .max, days.from, days.before, call.limit]
        ).map(event)
    }

    /// Removes the oldest events as far as they are of days before `day`, as many as one transaction shall; their sums stay.
    ///
    /// - Returns: how many.
    static func prune(before day: CalendarDay, _ connection: any SQLConnection) throws -> Int {
        try connection.execute(
            "UPDATE retention SET pruned_before = ? WHERE pruned_before < ?", [day.rawValue, day.rawValue])
        try connection.execute("DELETE FROM lost_payments WHERE day < ?", [day.rawValue])
        return try connection.execute(
            """
            DELETE FROM usage_events
            WHERE id IN (SELECT id FROM usage_events ORDER BY id LIMIT ?) AND day < ?
            """, [pruneBatch, day.rawValue])
    }

    static let pruneBatch = 1000

    private static func event(_ row: SQLRow) -> Ledger.UsageEvent {
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
