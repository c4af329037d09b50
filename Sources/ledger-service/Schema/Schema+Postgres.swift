/// The tables on PostgreSQL, where several ledgers share them. What SQLite has is there, too, with the same meaning.
extension Schema {
    static let money = """
        CREATE TABLE pools (
            id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            holder TEXT NOT NULL,
            name TEXT NOT NULL,
            balance BIGINT NOT NULL CHECK (balance >= 0),
            reserved BIGINT NOT NULL CHECK (reserved >= 0),
            max BIGINT CHECK (max >= 0),
            refresh BIGINT CHECK (refresh >= 0),
            has_started BIGINT NOT NULL CHECK (has_started IN (0, 1)),
            accrued_until BIGINT NOT NULL,
            remainder BIGINT NOT NULL CHECK (remainder BETWEEN 0 AND 3599999),
            UNIQUE (holder, name),
            CHECK (max IS NULL OR balance = 0 OR balance + reserved <= max)
        );

        CREATE TABLE entries (
            id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            pool_id BIGINT NOT NULL REFERENCES pools (id),
            time BIGINT NOT NULL,
            kind TEXT NOT NULL CHECK (kind IN ('grant', 'accrual', 'post', 'capped', 'reset')),
            tokens BIGINT NOT NULL CHECK (tokens <> 0),
            request TEXT,
            CHECK (kind = 'reset' OR (kind IN ('grant', 'accrual')) = (tokens > 0)),
            CHECK ((kind = 'post') = (request IS NOT NULL))
        );
        CREATE INDEX entries_of_pool ON entries (pool_id);

        CREATE TABLE reservations (
            request TEXT PRIMARY KEY,
            owner TEXT NOT NULL,
            prompt BIGINT NOT NULL CHECK (prompt >= 0),
            completion BIGINT NOT NULL CHECK (completion >= 0),
            body TEXT NOT NULL
        );
        CREATE INDEX reservations_of_owner ON reservations (owner);

        -- The webs that are known to live, and until when.
        CREATE TABLE owners (instance TEXT PRIMARY KEY, lease_until BIGINT NOT NULL);

        -- How requests ended that have no usage event: for calls that come again.
        CREATE TABLE ended (request TEXT PRIMARY KEY, time BIGINT NOT NULL, body TEXT NOT NULL);
        CREATE INDEX ended_by_time ON ended (time);

        CREATE TABLE budgets (
            group_name TEXT NOT NULL, pool TEXT NOT NULL,
            max BIGINT, refresh BIGINT NOT NULL, starting BIGINT NOT NULL, since BIGINT NOT NULL,
            PRIMARY KEY (group_name, pool)
        );
        CREATE TABLE overrides (
            user_id BIGINT NOT NULL, pool TEXT NOT NULL,
            max BIGINT CHECK (max >= 0), refresh BIGINT NOT NULL CHECK (refresh >= 0),
            starting BIGINT NOT NULL CHECK (starting >= 0), since BIGINT NOT NULL,
            PRIMARY KEY (user_id, pool)
        );
        CREATE TABLE budget_changes (number BIGINT PRIMARY KEY, time BIGINT NOT NULL);
        -- Grows with each change of the three, so that every ledger sees it with its next transaction.
        CREATE TABLE budget_revision (only_row BIGINT PRIMARY KEY CHECK (only_row = 1), revision BIGINT NOT NULL);
        INSERT INTO budget_revision (only_row, revision) VALUES (1, 1);

        """

    static let usage = """
        CREATE TABLE usage_events (
            id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            request TEXT NOT NULL,
            is_correction BIGINT NOT NULL CHECK (is_correction IN (0, 1)),
            time BIGINT NOT NULL,
            day TEXT NOT NULL,
            user_id BIGINT NOT NULL,
            group_name TEXT,
            key_id BIGINT,
            source TEXT NOT NULL,
            model TEXT NOT NULL,
            endpoint TEXT,
            prompt BIGINT NOT NULL CHECK (prompt >= 0 OR is_correction = 1),
            completion BIGINT NOT NULL CHECK (completion >= 0 OR is_correction = 1),
            is_estimated BIGINT NOT NULL CHECK (is_estimated IN (0, 1)),
            started BIGINT NOT NULL,
            duration_ms BIGINT NOT NULL,
            first_token_ms BIGINT,
            outcome TEXT NOT NULL,
            billed BIGINT NOT NULL CHECK (billed >= 0),
            written_off BIGINT NOT NULL CHECK (written_off >= 0),
            cost BIGINT NOT NULL,
            UNIQUE (request, is_correction)
        );
        CREATE INDEX usage_events_of_user ON usage_events (user_id, id);
        CREATE INDEX usage_events_of_day ON usage_events (day);

        CREATE TABLE retention (only_row BIGINT PRIMARY KEY CHECK (only_row = 1), pruned_before TEXT NOT NULL);
        INSERT INTO retention (only_row, pruned_before) VALUES (1, '');

        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$;
        CREATE FUNCTION refuse_early_removal() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN
            IF old.day >= (SELECT pruned_before FROM retention) THEN
                RAISE EXCEPTION 'usage_events is append-only';
            END IF;
            RETURN old;
        END $$;
        CREATE TRIGGER entries_are_append_only BEFORE UPDATE OR DELETE ON entries
        FOR EACH ROW EXECUTE FUNCTION refuse_change();
        CREATE TRIGGER usage_events_are_never_changed BEFORE UPDATE ON usage_events
        FOR EACH ROW EXECUTE FUNCTION refuse_change();
        CREATE TRIGGER usage_events_are_kept BEFORE DELETE ON usage_events
        FOR EACH ROW EXECUTE FUNCTION refuse_early_removal();

        CREATE TABLE usage_of_user (
            user_id BIGINT NOT NULL, day TEXT NOT NULL, model TEXT NOT NULL, source TEXT NOT NULL,
            group_name TEXT NOT NULL, key_id BIGINT NOT NULL,
            requests BIGINT NOT NULL, prompt BIGINT NOT NULL, completion BIGINT NOT NULL,
            billed BIGINT NOT NULL, written_off BIGINT NOT NULL, cost BIGINT NOT NULL,
            PRIMARY KEY (user_id, day, model, source, group_name, key_id)
        );
        CREATE TABLE usage_of_day (
            day TEXT NOT NULL, model TEXT NOT NULL, source TEXT NOT NULL, group_name TEXT NOT NULL,
            requests BIGINT NOT NULL, prompt BIGINT NOT NULL, completion BIGINT NOT NULL,
            billed BIGINT NOT NULL, written_off BIGINT NOT NULL, cost BIGINT NOT NULL,
            PRIMARY KEY (day, model, source, group_name)
        );
        CREATE TABLE usage_of_month (
            month TEXT NOT NULL, user_id BIGINT NOT NULL,
            requests BIGINT NOT NULL, prompt BIGINT NOT NULL, completion BIGINT NOT NULL,
            billed BIGINT NOT NULL, written_off BIGINT NOT NULL, cost BIGINT NOT NULL,
            PRIMARY KEY (month, user_id)
        );
        CREATE INDEX most_of_month ON usage_of_month (month, (prompt + completion) DESC, user_id);
        """
}
