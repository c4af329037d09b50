import GRDB
import SharedProtocol

/// What the journal writes and reads, in SQL.
enum JournalStore {
    static func write(_ commit: Commit, at now: Timestamp, _ database: Database) throws {
        for (key, pool) in commit.pools { try write(pool, key, at: now, database) }
        let insertEntry = try database.cachedStatement(
            sql: "INSERT INTO entries (pool_id, time, kind, tokens, request) VALUES (?, ?, 'post', ?, ?)")
        for settlement in commit.settlements {
            try UsageEventStore.insert(settlement, at: now, database)
            guard settlement.charged > 0, let key = settlement.pool, let pool = commit.pools[key] else { continue }
            try insertEntry.execute(arguments: [
                pool.id, now.rawValue, -settlement.charged.rawValue, settlement.request.rawValue,
            ])
        }
        if let clocks = commit.clocks { try write(clocks, database) }
    }

    private static func write(_ pool: Pool, _ key: PoolKey, at now: Timestamp, _ database: Database) throws {
        let upsert = try database.cachedStatement(
            sql: """
                INSERT INTO pools (id, user_id, name, balance, reserved, max, refresh, has_started, accrued_until, remainder)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (id) DO UPDATE SET balance = excluded.balance, reserved = excluded.reserved,
                    max = excluded.max, refresh = excluded.refresh, has_started = excluded.has_started,
                    accrued_until = excluded.accrued_until, remainder = excluded.remainder
                """)
        try upsert.execute(arguments: [
            pool.id, key.user.rawValue, key.name.rawValue, pool.balance.rawValue, pool.reserved.rawValue,
            pool.terms?.max?.rawValue, pool.terms?.refresh.rawValue, pool.hasStarted, pool.accrual.until.rawValue,
            pool.accrual.remainder,
        ])
        let insertEntry = try database.cachedStatement(
            sql: "INSERT INTO entries (pool_id, time, kind, tokens) VALUES (?, ?, ?, ?)")
        let entries = pool.unsaved
        for (kind, tokens) in [("grant", entries.granted), ("accrual", entries.accrued), ("capped", entries.capped)]
        where tokens != 0 {
            try insertEntry.execute(arguments: [pool.id, now.rawValue, kind, tokens.rawValue])
        }
    }

    private static func write(_ clocks: BudgetClocks, _ database: Database) throws {
        try database.execute(sql: "DELETE FROM budgets")
        let insert = try database.cachedStatement(
            sql: "INSERT INTO budgets (group_name, pool, max, refresh, starting, since) VALUES (?, ?, ?, ?, ?, ?)")
        for (key, clock) in clocks.clocks {
            try insert.execute(arguments: [
                key.group.rawValue, key.pool.rawValue, clock.budget.max.tokens?.rawValue,
                clock.budget.refresh.rawValue, clock.budget.starting.rawValue, clock.since.rawValue,
            ])
        }
    }

    /// The ledger's state as it was last written.
    static func load(_ database: Database) throws -> (pools: [PoolKey: Pool], clocks: BudgetClocks) {
        var pools: [PoolKey: Pool] = [:]
        let rows = try Row.fetchCursor(
            database,
            sql: """
                SELECT user_id, name, id, balance, reserved, max, refresh, has_started, accrued_until, remainder FROM pools
                """)
        while let row = try rows.next() {
            pools[PoolKey(user: UserID(row[0]), name: PoolName(row[1] as String))] = Pool(
                id: row[2], balance: TokenCount(row[3]), reserved: TokenCount(row[4]),
                accrual: Accrual(until: Timestamp(row[8]), remainder: row[9]),
                terms: (row[6] as Int64?).map {
                    Terms(max: (row[5] as Int64?).map { TokenCount($0) }, refresh: TokenCount($0))
                },
                hasStarted: row[7])
        }
        return (pools, try loadClocks(database))
    }

    private static func loadClocks(_ database: Database) throws -> BudgetClocks {
        var clocks: [BudgetClocks.Key: BudgetClocks.Clock] = [:]
        let rows = try Row.fetchCursor(
            database, sql: "SELECT group_name, pool, max, refresh, starting, since FROM budgets")
        while let row = try rows.next() {
            let max = (row[2] as Int64?).map { Budget.Limit.tokens(TokenCount($0)) } ?? .unlimited
            clocks[BudgetClocks.Key(group: GroupName(row[0] as String), pool: PoolName(row[1] as String))] =
                BudgetClocks.Clock(
                    budget: Budget(max: max, refresh: TokenCount(row[3]), starting: TokenCount(row[4])),
                    since: Timestamp(row[5]))
        }
        return BudgetClocks(clocks)
    }
}
