/// The third migration: a correction may give tokens back, when a web that was taken for dead says that it used less.
extension Schema {
    static let lostPayments = """
        -- What pools paid for requests that were billed at the last progress of a web that was taken for dead.
        CREATE TABLE lost_payments (
            request TEXT NOT NULL,
            pool_id BIGINT NOT NULL,
            tokens BIGINT NOT NULL CHECK (tokens > 0),
            day TEXT NOT NULL,
            PRIMARY KEY (request, pool_id)
        );

        """

    static let refundsOfPostgres = """
        ALTER TABLE entries DROP CONSTRAINT entries_check;
        ALTER TABLE entries ADD CONSTRAINT entries_sign
            CHECK (kind IN ('post', 'reset') OR (kind IN ('grant', 'accrual')) = (tokens > 0));
        ALTER TABLE usage_events DROP CONSTRAINT usage_events_billed_check;
        ALTER TABLE usage_events DROP CONSTRAINT usage_events_written_off_check;
        ALTER TABLE usage_events ADD CONSTRAINT usage_events_billed_sign
            CHECK (is_correction = 1 OR (billed >= 0 AND written_off >= 0));
        """

    /// SQLite cannot change a constraint: both tables are made anew.
    static let refundsOfSQLite = """
        ALTER TABLE entries RENAME TO old_entries;
        CREATE TABLE entries (
            id INTEGER PRIMARY KEY,
            pool_id INTEGER NOT NULL REFERENCES pools (id),
            time INTEGER NOT NULL,
            kind TEXT NOT NULL CHECK (kind IN ('grant', 'accrual', 'post', 'capped', 'reset')),
            tokens INTEGER NOT NULL CHECK (tokens <> 0),
            request TEXT,
            CHECK (kind IN ('post', 'reset') OR (kind IN ('grant', 'accrual')) = (tokens > 0)),
            CHECK ((kind = 'post') = (request IS NOT NULL))
        ) STRICT;
        INSERT INTO entries SELECT id, pool_id, time, kind, tokens, request FROM old_entries;
        DROP TABLE old_entries;
        CREATE TRIGGER entries_are_never_changed BEFORE UPDATE ON entries
        BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;
        CREATE TRIGGER entries_are_never_removed BEFORE DELETE ON entries
        BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;

        ALTER TABLE usage_events RENAME TO old_usage_events;
        CREATE TABLE usage_events (
            id INTEGER PRIMARY KEY,
            request TEXT NOT NULL,
            is_correction INTEGER NOT NULL CHECK (is_correction IN (0, 1)),
            time INTEGER NOT NULL,
            day TEXT NOT NULL,
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
            billed INTEGER NOT NULL CHECK (billed >= 0 OR is_correction = 1),
            written_off INTEGER NOT NULL CHECK (written_off >= 0 OR is_correction = 1),
            cost INTEGER NOT NULL,
            UNIQUE (request, is_correction)
        ) STRICT;
        INSERT INTO usage_events
        SELECT id, request, is_correction, time, day, user_id, group_name, key_id, source, model, endpoint, prompt,
            completion, is_estimated, started, duration_ms, first_token_ms, outcome, billed, written_off, cost
        FROM old_usage_events;
        DROP TABLE old_usage_events;
        CREATE INDEX usage_events_of_user ON usage_events (user_id);
        CREATE TRIGGER usage_events_are_never_changed BEFORE UPDATE ON usage_events
        BEGIN SELECT RAISE(ABORT, 'usage events are append-only'); END;
        CREATE TRIGGER usage_events_are_kept BEFORE DELETE ON usage_events
        WHEN old.day >= (SELECT pruned_before FROM retention)
        BEGIN SELECT RAISE(ABORT, 'usage events are append-only'); END;
        """
}
