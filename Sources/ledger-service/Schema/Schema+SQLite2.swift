/// The second migration: pools of groups and keys beside users', what a restarted ledger must know, running sums.
extension Schema {
    static let poolsOfGroupsAndKeys = """
        ALTER TABLE entries RENAME TO old_entries;
        ALTER TABLE pools RENAME TO old_pools;

        -- max and refresh are NULL until the pool is first touched; with refresh set, max NULL is unlimited.
        -- holder is user:17, group:staff or key:5; name is default, a model, * (a group's shared pool) or cap (a key's).
        CREATE TABLE pools (
            id INTEGER PRIMARY KEY,
            holder TEXT NOT NULL,
            name TEXT NOT NULL,
            balance INTEGER NOT NULL CHECK (balance >= 0),
            reserved INTEGER NOT NULL CHECK (reserved >= 0),
            max INTEGER CHECK (max >= 0),
            refresh INTEGER CHECK (refresh >= 0),
            has_started INTEGER NOT NULL CHECK (has_started IN (0, 1)),
            accrued_until INTEGER NOT NULL,
            remainder INTEGER NOT NULL CHECK (remainder BETWEEN 0 AND 3599999),
            UNIQUE (holder, name),
            CHECK (max IS NULL OR balance = 0 OR balance + reserved <= max)
        ) STRICT;
        INSERT INTO pools SELECT id, 'user:' || user_id, name, balance, reserved, max, refresh, has_started,
            accrued_until, remainder FROM old_pools;

        -- Of each pool: balance + reserved = sum of tokens.
        CREATE TABLE entries (
            id INTEGER PRIMARY KEY,
            pool_id INTEGER NOT NULL REFERENCES pools (id),
            time INTEGER NOT NULL,
            kind TEXT NOT NULL CHECK (kind IN ('grant', 'accrual', 'post', 'capped', 'reset')),
            tokens INTEGER NOT NULL CHECK (tokens <> 0),
            request TEXT,
            CHECK (kind = 'reset' OR (kind IN ('grant', 'accrual')) = (tokens > 0)),
            CHECK ((kind = 'post') = (request IS NOT NULL))
        ) STRICT;
        INSERT INTO entries SELECT * FROM old_entries;
        DROP TABLE old_entries;
        DROP TABLE old_pools;
        CREATE INDEX entries_of_pool ON entries (pool_id);
        CREATE TRIGGER entries_are_never_changed BEFORE UPDATE ON entries
        BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;
        CREATE TRIGGER entries_are_never_removed BEFORE DELETE ON entries
        BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;

        """

    static let reservationsAndOwners = """
        -- Live requests older than a second; body is what the ledger knows of one, in JSON.
        CREATE TABLE reservations (
            request TEXT PRIMARY KEY,
            owner TEXT NOT NULL,
            prompt INTEGER NOT NULL CHECK (prompt >= 0),
            completion INTEGER NOT NULL CHECK (completion >= 0),
            body TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;

        -- The webs that are known to live.
        CREATE TABLE owners (instance TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

        """

    static let budgetsOfUsers = """
        CREATE TABLE overrides (
            user_id INTEGER NOT NULL,
            pool TEXT NOT NULL,
            max INTEGER CHECK (max >= 0),
            refresh INTEGER NOT NULL CHECK (refresh >= 0),
            starting INTEGER NOT NULL CHECK (starting >= 0),
            since INTEGER NOT NULL,
            PRIMARY KEY (user_id, pool)
        ) STRICT, WITHOUT ROWID;

        -- When a budget changed, oldest first.
        CREATE TABLE budget_changes (number INTEGER PRIMARY KEY, time INTEGER NOT NULL) STRICT;

        """

    static let usageSums = """
        ALTER TABLE usage_events ADD COLUMN day TEXT NOT NULL DEFAULT '';
        UPDATE usage_events SET day = date(time / 1000, 'unixepoch');
        CREATE INDEX usage_events_of_day ON usage_events (day);

        -- Events of days before this one may have been removed; their sums stay.
        CREATE TABLE retention (only INTEGER PRIMARY KEY CHECK (only = 1), pruned_before TEXT NOT NULL) STRICT;
        INSERT INTO retention (only, pruned_before) VALUES (1, '');
        CREATE TRIGGER usage_events_are_never_changed BEFORE UPDATE ON usage_events
        BEGIN SELECT RAISE(ABORT, 'usage events are append-only'); END;
        CREATE TRIGGER usage_events_are_kept BEFORE DELETE ON usage_events
        WHEN old.day >= (SELECT pruned_before FROM retention)
        BEGIN SELECT RAISE(ABORT, 'usage events are append-only'); END;

        CREATE TABLE usage_of_user (
            user_id INTEGER NOT NULL, day TEXT NOT NULL, model TEXT NOT NULL, source TEXT NOT NULL,
            group_name TEXT NOT NULL, key_id INTEGER NOT NULL,
            requests INTEGER NOT NULL, prompt INTEGER NOT NULL, completion INTEGER NOT NULL,
            billed INTEGER NOT NULL, written_off INTEGER NOT NULL, cost INTEGER NOT NULL,
            PRIMARY KEY (user_id, day, model, source, group_name, key_id)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE usage_of_day (
            day TEXT NOT NULL, model TEXT NOT NULL, source TEXT NOT NULL, group_name TEXT NOT NULL,
            requests INTEGER NOT NULL, prompt INTEGER NOT NULL, completion INTEGER NOT NULL,
            billed INTEGER NOT NULL, written_off INTEGER NOT NULL, cost INTEGER NOT NULL,
            PRIMARY KEY (day, model, source, group_name)
        ) STRICT, WITHOUT ROWID;
        -- The month '' is all of them.
        CREATE TABLE usage_of_month (
            month TEXT NOT NULL, user_id INTEGER NOT NULL,
            requests INTEGER NOT NULL, prompt INTEGER NOT NULL, completion INTEGER NOT NULL,
            billed INTEGER NOT NULL, written_off INTEGER NOT NULL, cost INTEGER NOT NULL,
            PRIMARY KEY (month, user_id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX most_of_month ON usage_of_month (month, (prompt + completion) DESC, user_id);

        INSERT INTO usage_of_user
        SELECT user_id, day, model, source, coalesce(group_name, ''), coalesce(key_id, 0), sum(1 - is_correction),
            sum(prompt), sum(completion), sum(billed), sum(written_off), sum(cost)
        FROM usage_events GROUP BY 1, 2, 3, 4, 5, 6;
        INSERT INTO usage_of_day
        SELECT day, model, source, group_name, sum(requests), sum(prompt), sum(completion), sum(billed),
            sum(written_off), sum(cost)
        FROM usage_of_user GROUP BY 1, 2, 3, 4;
        INSERT INTO usage_of_month
        SELECT substr(day, 1, 7), user_id, sum(requests), sum(prompt), sum(completion), sum(billed),
            sum(written_off), sum(cost)
        FROM usage_of_user GROUP BY 1, 2;
        INSERT INTO usage_of_month
        SELECT '', user_id, sum(requests), sum(prompt), sum(completion), sum(billed), sum(written_off), sum(cost)
        FROM usage_of_user GROUP BY 2;
        """
}
