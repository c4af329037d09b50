import SharedProtocol
import Storage

/// The pools' rows.
enum PoolStore {
    static let columns = """
        holder, name, id, balance, reserved, max, refresh, has_started, accrued_until, remainder
        """

    private static let upsert = """
        INSERT INTO pools (\(columns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET balance = excluded.balance, reserved = excluded.reserved,
            max = excluded.max, refresh = excluded.refresh, has_started = excluded.has_started,
            accrued_until = excluded.accrued_until, remainder = excluded.remainder
        """

    /// Writes a pool, and what it gained or lost by itself since it was written last.
    static func write(_ pool: Pool, _ key: PoolKey, at now: Timestamp, _ connection: any SQLConnection) throws {
        try connection.execute(
            upsert,
            [
                key.holder.rawValue, key.name.rawValue, pool.id, pool.balance.rawValue, pool.reserved.rawValue,
                pool.terms?.max?.rawValue, pool.terms?.refresh.rawValue, pool.hasStarted,
                pool.accrual.until.rawValue, pool.accrual.remainder,
            ])
        for (kind, tokens) in pool.unsaved.kinds where tokens != 0 {
            try connection.execute(
                "INSERT INTO entries (pool_id, time, kind, tokens) VALUES (?, ?, ?, ?)",
                [pool.id, now.rawValue, kind, tokens.rawValue])
        }
    }

    static func load(_ connection: any SQLConnection) throws -> [PoolKey: Pool] {
        let rows = try connection.rows("SELECT \(columns) FROM pools")
        return Dictionary(uniqueKeysWithValues: try rows.map(pool))
    }

    /// Some pools, on PostgreSQL, as they are now.
    static func load(_ keys: Set<PoolKey>, _ connection: any SQLConnection) throws -> [PoolKey: Pool] {
        let wanted = Array(keys)
        let rows = try connection.rows(
            """
            SELECT \(columns) FROM pools
            JOIN unnest(?::text[], ?::text[]) AS wanted (wanted_holder, wanted_name)
                ON holder = wanted_holder AND name = wanted_name
            """, [SQLArray(wanted.map(\.holder.rawValue)), SQLArray(wanted.map(\.name.rawValue))])
        return Dictionary(uniqueKeysWithValues: try rows.map(pool))
    }

    static func pool(_ row: SQLRow) throws -> (PoolKey, Pool) {
        guard let holder = PoolHolder(rawValue: row[0]) else {
            throw CallError(.storageFailed, "A pool's holder cannot be read.")
        }
        let pool = Pool(
            id: row[2], balance: TokenCount(row[3]), reserved: TokenCount(row[4]),
            accrual: Accrual(until: Timestamp(row[8]), remainder: row[9]),
            terms: (row[6] as Int64?).map {
                Terms(max: (row[5] as Int64?).map { TokenCount($0) }, refresh: TokenCount($0))
            },
            hasStarted: row[7])
        return (PoolKey(holder: holder, name: PoolName(row[1] as String)), pool)
    }
}

extension EntrySums {
    /// By the names that the entries have.
    var kinds: [(kind: String, tokens: TokenCount)] {
        [("grant", granted), ("accrual", accrued), ("capped", capped), ("reset", reset)]
    }
}
