import FoundationEssentials
import SharedProtocol
import Storage

/// Puts down what changed: one statement for each table, whatever the number of rows.
extension Slice {
    func write(_ result: Result, _ connection: any SQLConnection) throws {
        try writePools(result.commit, connection)
        let new = book.reservations.filter { !$0.value.isStored }
        try connection.execute(
            """
            INSERT INTO reservations (request, owner, prompt, completion, body)
            SELECT request, owner, 0, 0, body
            FROM jsonb_to_recordset(?::jsonb) AS rows (request TEXT, owner TEXT, body TEXT) ORDER BY request
            """,
            rows: try new.map {
                ReservationRow(
                    request: $0.key.rawValue, owner: $0.value.owner.rawValue,
                    body: try ReservationStore.encode($0.value))
            })
        let gone = storedReservations.filter { book.reservations[$0] == nil }
        if !gone.isEmpty {
            try connection.execute(
                "DELETE FROM reservations WHERE request = ANY(?::text[])", [SQLArray(gone.map(\.rawValue))])
        }
        try writeEvents(result.commit.settlements, connection)
        try connection.execute(
            """
            INSERT INTO ended (request, time, body)
            SELECT request, time, body
            FROM jsonb_to_recordset(?::jsonb) AS rows (request TEXT, time BIGINT, body TEXT) ORDER BY request
            ON CONFLICT (request) DO NOTHING
            """,
            rows: try result.ends.map {
                EndRow(request: $0.key.rawValue, time: moment.wall.rawValue, body: try EndStore.encode($0.value))
            })
    }

    private func writePools(_ commit: Commit, _ connection: any SQLConnection) throws {
        var pools: [PoolRow] = []
        var entries: [EntryRow] = []
        for (key, pool) in book.pools where pool != storedPools[key] || commit.pools[key] != nil {
            pools.append(PoolRow(pool))
            // What a draft had gained by itself counts as saved by now.
            let sums = (commit.pools[key]?.unsaved ?? EntrySums()) + pool.unsaved
            entries += sums.kinds.filter { $0.tokens != 0 }.map {
                EntryRow(pool: pool.id, time: moment.wall.rawValue, kind: $0.kind, tokens: $0.tokens.rawValue)
            }
        }
        for settlement in commit.settlements {
            entries += settlement.charges.filter { $0.charged != 0 }.compactMap { charge in
                book.pools[charge.pool].map {
                    EntryRow(
                        pool: $0.id, time: moment.wall.rawValue, kind: "post", tokens: -charge.charged.rawValue,
                        request: settlement.request.rawValue)
                }
            }
        }
        try connection.execute(
            """
            UPDATE pools SET balance = rows.balance, reserved = rows.reserved, max = rows.max, refresh = rows.refresh,
                has_started = rows.has_started, accrued_until = rows.accrued_until, remainder = rows.remainder
            FROM jsonb_to_recordset(?::jsonb) AS rows (id BIGINT, balance BIGINT, reserved BIGINT, max BIGINT,
                refresh BIGINT, has_started BIGINT, accrued_until BIGINT, remainder BIGINT)
            WHERE pools.id = rows.id
            """, rows: pools)
        try connection.execute(
            """
            INSERT INTO entries (pool_id, time, kind, tokens, request)
            SELECT pool, time, kind, tokens, request FROM jsonb_to_recordset(?::jsonb)
                AS rows (pool BIGINT, time BIGINT, kind TEXT, tokens BIGINT, request TEXT)
            """, rows: entries)
    }

    private func writeEvents(_ settlements: [Settlement], _ connection: any SQLConnection) throws {
        guard !settlements.isEmpty else { return }
        let day = Today.day(of: moment.wall)
        try connection.execute(
            """
            INSERT INTO usage_events (\(EventRow.columns))
            SELECT \(EventRow.columns) FROM jsonb_to_recordset(?::jsonb) AS rows (\(EventRow.types))
            """, rows: settlements.map { EventRow($0, at: moment.wall, on: day) })
        for settlement in settlements {
            try UsageEventStore.notePayments(for: settlement, on: day, connection, id: { book.pools[$0]?.id })
        }
        try UsageSumStore.addAtOnce(settlements, on: day, connection)
    }
}

private struct ReservationRow: Encodable {
    var request: String
    var owner: String
    var body: String
}

private struct EndRow: Encodable {
    var request: String
    var time: Int64
    var body: String
}

private struct EntryRow: Encodable {
    var pool: Int64
    var time: Int64
    var kind: String
    var tokens: Int64
    var request: String?
}

private struct PoolRow: Encodable {
    var id: Int64
    var balance: Int64
    var reserved: Int64
    var max: Int64?
    var refresh: Int64?
    var hasStarted: Int64
    var accruedUntil: Int64
    var remainder: Int64

    init(_ pool: Pool) {
        id = pool.id
        balance = pool.balance.rawValue
        reserved = pool.reserved.rawValue
        max = pool.terms?.max?.rawValue
        refresh = pool.terms?.refresh.rawValue
        hasStarted = pool.hasStarted ? 1 : 0
        accruedUntil = pool.accrual.until.rawValue
        remainder = pool.accrual.remainder
    }
}

private struct EventRow: Encodable {
    static let texts = ["request", "day", "group_name", "source", "model", "endpoint", "outcome"]
    static let numbers = [
        "is_correction", "time", "user_id", "key_id", "prompt", "completion", "is_estimated", "started", "duration_ms",
        "first_token_ms", "billed", "written_off", "cost",
    ]
    static let columns = (texts + numbers).joined(separator: ", ")
    static let types = (texts.map { $0 + " TEXT" } + numbers.map { $0 + " BIGINT" }).joined(separator: ", ")

    var request, day: String
    var groupName: String?
    var source, model: String
    var endpoint: String?
    var outcome: String
    var isCorrection, time, userId: Int64
    var keyId: Int64?
    var prompt, completion, isEstimated, started, durationMs: Int64
    var firstTokenMs: Int64?
    var billed, writtenOff, cost: Int64

    init(_ settlement: Settlement, at now: Timestamp, on day: CalendarDay) {
        let (bill, usage, receipt) = (settlement.bill, settlement.usage, settlement.receipt)
        request = settlement.request.rawValue
        self.day = day.rawValue
        groupName = bill.group?.rawValue
        source = bill.source.rawValue
        model = bill.model.rawValue
        endpoint = usage.endpoint
        outcome = usage.outcome.rawValue
        isCorrection = settlement.isCorrection ? 1 : 0
        time = now.rawValue
        userId = bill.account.user.rawValue
        keyId = bill.key?.rawValue
        prompt = usage.prompt.rawValue
        completion = usage.completion.rawValue
        isEstimated = usage.isEstimated ? 1 : 0
        started = usage.started.rawValue
        durationMs = usage.durationMs
        firstTokenMs = usage.firstTokenMs
        billed = receipt.billed.rawValue
        writtenOff = receipt.writtenOff.rawValue
        cost = receipt.cost.rawValue
    }
}

extension SQLConnection {
    /// Runs a statement whose one value is a JSON list of rows; nothing when there are none. Members have the names of
    /// the properties in snake case.
    func execute(_ sql: String, rows: [some Encodable]) throws {
        guard !rows.isEmpty else { return }
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        try execute(sql, [String(decoding: try encoder.encode(rows), as: UTF8.self)])
    }
}
