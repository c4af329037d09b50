import Storage

/// The ledger's tables. Amounts are tokens, times are milliseconds since 1970, costs are nano-dollars.
enum Schema {
    static let migrations = [
        Migration(1, sqlite: firstOfSQLite, postgres: ""),
        Migration(
            2, sqlite: poolsOfGroupsAndKeys + reservationsAndOwners + budgetsOfUsers + usageSums,
            postgres: money + usage),
        Migration(3, sqlite: lostPayments + refundsOfSQLite, postgres: lostPayments + refundsOfPostgres),
        Migration(4, sqlite: groupBudgets("INTEGER", "STRICT, WITHOUT ROWID"), postgres: groupBudgets("BIGINT", "")),
    ]

    /// The budgets that admins gave groups, within `Budget`'s limits; max NULL is unlimited. Since when one holds is in `budgets`.
    private static func groupBudgets(_ integer: String, _ options: String) -> String {
        """
        CREATE TABLE group_budgets (
            group_name TEXT NOT NULL CHECK (length(group_name) BETWEEN 1 AND 100),
            pool TEXT NOT NULL CHECK (length(pool) BETWEEN 1 AND 200),
            max \(integer) CHECK (max BETWEEN 0 AND 1000000000000000),
            refresh \(integer) NOT NULL CHECK (refresh BETWEEN 0 AND 1000000000000),
            starting \(integer) NOT NULL CHECK (starting BETWEEN 0 AND coalesce(max, 1000000000000000)),
            PRIMARY KEY (group_name, pool)
        ) \(options)
        """
    }

    private static let firstOfSQLite = """
        -- max and refresh are NULL while the pool waits for its first touch under changed budgets; with refresh set,
        -- max NULL is unlimited. reserved is what live requests held when the row was written: they live in memory,
        -- so it is free again after a restart.
        CREATE TABLE pools (
            id INTEGER PRIMARY KEY,
            user_id INTEGER NOT NULL,
            name TEXT NOT NULL,
            balance INTEGER NOT NULL CHECK (balance >= 0),
            reserved INTEGER NOT NULL CHECK (reserved >= 0),
            max INTEGER CHECK (max >= 0),
            refresh INTEGER CHECK (refresh >= 0),
            has_started INTEGER NOT NULL CHECK (has_started IN (0, 1)),
            accrued_until INTEGER NOT NULL,
            remainder INTEGER NOT NULL CHECK (remainder BETWEEN 0 AND 3599999),
            UNIQUE (user_id, name),
            CHECK (max IS NULL OR balance = 0 OR balance + reserved <= max)
        ) STRICT;

        -- Of each pool: balance + reserved = sum of tokens.
        CREATE TABLE entries (
            id INTEGER PRIMARY KEY,
            pool_id INTEGER NOT NULL REFERENCES pools (id),
            time INTEGER NOT NULL,
            kind TEXT NOT NULL CHECK (kind IN ('grant', 'accrual', 'post', 'capped')),
            tokens INTEGER NOT NULL CHECK (tokens <> 0),
            request TEXT,
            CHECK ((kind IN ('grant', 'accrual')) = (tokens > 0)),
            CHECK ((kind = 'post') = (request IS NOT NULL))
        ) STRICT;
        CREATE TRIGGER entries_are_never_changed BEFORE UPDATE ON entries
        BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;
        CREATE TRIGGER entries_are_never_removed BEFORE DELETE ON entries
        BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;

        -- A correction is what a request used beyond what it was billed as lost.
        CREATE TABLE usage_events (
            id INTEGER PRIMARY KEY,
            request TEXT NOT NULL,
            is_correction INTEGER NOT NULL CHECK (is_correction IN (0, 1)),
            time INTEGER NOT NULL,
            user_id INTEGER NOT NULL,
            group_name TEXT,
            key_id INTEGER,
            source TEXT NOT NULL,
            model TEXT NOT NULL,
            endpoint TEXT,
            prompt INTEGER NOT NULL CHECK (prompt >= 0 OR is_correction = 1),
            completion INTEGER NOT NULL CHECK (completion >= 0 OR is_correction = 1),
            is_estimated INTEGER NOT NULL CHECK (is_estimated IN (0, 1)),
            started INTEGER NOT NULL,
            duration_ms INTEGER NOT NULL,
            first_token_ms INTEGER,
            outcome TEXT NOT NULL,
            billed INTEGER NOT NULL CHECK (billed >= 0),
            written_off INTEGER NOT NULL CHECK (written_off >= 0),
            cost INTEGER NOT NULL,
            UNIQUE (request, is_correction)
        ) STRICT;
        CREATE INDEX usage_events_of_user ON usage_events (user_id);

        -- The budgets of the configuration as they were last seen, and since when each gives a refill.
        CREATE TABLE budgets (
            group_name TEXT NOT NULL,
            pool TEXT NOT NULL,
            max INTEGER,
            refresh INTEGER NOT NULL,
            starting INTEGER NOT NULL,
            since INTEGER NOT NULL,
            PRIMARY KEY (group_name, pool)
        ) STRICT, WITHOUT ROWID;
        """
}
