import Storage

/// The service's tables. Times are milliseconds since 1970 in UTC; ids are never reused.
enum Schema {
    static let migrations = [
        Migration(1, sqlite: firstOfSQLite, postgres: firstOfPostgres),
        // Words that PostgreSQL keeps to itself: the column `user` would be whoever is connected.
        Migration(
            2,
            sqlite: """
                ALTER TABLE user RENAME TO users;
                ALTER TABLE session RENAME COLUMN user TO owner;
                ALTER TABLE api_key RENAME COLUMN user TO owner;
                """,
            postgres: ""),
        // All that a key may spend in its life, in tokens.
        Migration(
            3, sqlite: "ALTER TABLE api_key ADD COLUMN cap INTEGER CHECK (cap > 0)",
            postgres: "ALTER TABLE api_key ADD COLUMN cap BIGINT CHECK (cap > 0)"),
        Migration(4, sqlite: identityOfSQLite, postgres: identityOfPostgres),
    ]

    private static let firstOfSQLite = """
        CREATE TABLE user (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            -- In lower case.
            email TEXT NOT NULL UNIQUE CHECK (email = lower(email)),
            name TEXT NOT NULL,
            created INTEGER NOT NULL,
            -- When the account was taken away.
            disabled INTEGER
        ) STRICT;

        CREATE TABLE session (
            -- The id itself is only in the cookie.
            hash TEXT PRIMARY KEY,
            user INTEGER NOT NULL REFERENCES user (id),
            opened INTEGER NOT NULL,
            -- To the minute.
            seen INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE api_key (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            user INTEGER NOT NULL REFERENCES user (id),
            hash TEXT NOT NULL UNIQUE,
            name TEXT NOT NULL,
            hint TEXT NOT NULL,
            created INTEGER NOT NULL,
            -- To the minute.
            last_used INTEGER,
            revoked INTEGER
        ) STRICT;
        CREATE INDEX api_key_of_user ON api_key (user);

        -- One row: counts the changes that took access away.
        CREATE TABLE revision (
            only INTEGER PRIMARY KEY CHECK (only = 1),
            revision INTEGER NOT NULL
        ) STRICT;
        INSERT INTO revision (only, revision) VALUES (1, 1);
        """

    /// The same tables, after migration 2.
    private static let firstOfPostgres = """
        CREATE TABLE users (
            id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            email TEXT NOT NULL UNIQUE CHECK (email = lower(email)),
            name TEXT NOT NULL,
            created BIGINT NOT NULL,
            disabled BIGINT
        );

        CREATE TABLE session (
            hash TEXT PRIMARY KEY,
            owner BIGINT NOT NULL REFERENCES users (id),
            opened BIGINT NOT NULL,
            seen BIGINT NOT NULL
        );

        CREATE TABLE api_key (
            id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            owner BIGINT NOT NULL REFERENCES users (id),
            hash TEXT NOT NULL UNIQUE,
            name TEXT NOT NULL,
            hint TEXT NOT NULL,
            created BIGINT NOT NULL,
            last_used BIGINT,
            revoked BIGINT
        );
        CREATE INDEX api_key_of_user ON api_key (owner);

        CREATE TABLE revision (
            "only" BIGINT PRIMARY KEY CHECK ("only" = 1),
            revision BIGINT NOT NULL
        );
        INSERT INTO revision ("only", revision) VALUES (1, 1);
        """

    /// Identity providers, groups, lists of sessions, limits of keys, the audit log.
    private static let identityOfSQLite = """
        -- Who the identity provider says that it is. A row without them is claimed by the first login with its address.
        ALTER TABLE users ADD COLUMN issuer TEXT;
        ALTER TABLE users ADD COLUMN subject TEXT CHECK ((subject IS NULL) = (issuer IS NULL));
        -- A JSON object: each claim that rules look at, with its values at the last login.
        ALTER TABLE users ADD COLUMN claims TEXT NOT NULL DEFAULT '{}';
        ALTER TABLE users ADD COLUMN last_login INTEGER;
        CREATE UNIQUE INDEX users_identity ON users (issuer, subject);
        CREATE INDEX users_by_name ON users (lower(name), id);

        -- What a page may show and a form may name: the hash stays with the service.
        ALTER TABLE session ADD COLUMN id TEXT NOT NULL DEFAULT '';
        UPDATE session SET id = lower(hex(randomblob(8)));
        ALTER TABLE session ADD COLUMN address TEXT NOT NULL DEFAULT '';
        ALTER TABLE session ADD COLUMN agent TEXT NOT NULL DEFAULT '';
        CREATE UNIQUE INDEX session_id ON session (id);
        CREATE INDEX session_of_owner ON session (owner);

        ALTER TABLE api_key ADD COLUMN expires INTEGER;
        -- A JSON list of names.
        ALTER TABLE api_key ADD COLUMN models TEXT;

        -- Login attempts that have come back: none comes back twice. Rows go when the attempt would have expired.
        CREATE TABLE used_login (
            state TEXT PRIMARY KEY,
            expires INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;

        -- Groups that were made in the panel, and those that the file has or had.
        CREATE TABLE user_group (
            name TEXT PRIMARY KEY,
            title TEXT NOT NULL,
            origin TEXT NOT NULL CHECK (origin IN ('file', 'panel')),
            created INTEGER NOT NULL,
            disabled INTEGER
        ) STRICT, WITHOUT ROWID;

        -- Members by hand. Members by rule follow from `claims` and the file, and are stored nowhere.
        CREATE TABLE member (
            group_name TEXT NOT NULL REFERENCES user_group (name),
            member INTEGER NOT NULL REFERENCES users (id),
            since INTEGER NOT NULL,
            PRIMARY KEY (group_name, member)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX member_groups ON member (member);

        CREATE TABLE audit (
            number INTEGER PRIMARY KEY,
            time INTEGER NOT NULL,
            actor INTEGER,
            actor_email TEXT,
            address TEXT,
            action TEXT NOT NULL,
            subject TEXT NOT NULL,
            before TEXT,
            after TEXT,
            request TEXT,
            -- SHA-256 over the entry before and this one, in hexadecimal.
            hash TEXT NOT NULL
        ) STRICT;
        CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
        CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
        """

    private static let identityOfPostgres = """
        ALTER TABLE users ADD COLUMN issuer TEXT;
        ALTER TABLE users ADD COLUMN subject TEXT CHECK ((subject IS NULL) = (issuer IS NULL));
        ALTER TABLE users ADD COLUMN claims TEXT NOT NULL DEFAULT '{}';
        ALTER TABLE users ADD COLUMN last_login BIGINT;
        CREATE UNIQUE INDEX users_identity ON users (issuer, subject);
        CREATE INDEX users_by_name ON users (lower(name), id);

        ALTER TABLE session ADD COLUMN id TEXT NOT NULL DEFAULT '';
        UPDATE session SET id = replace(gen_random_uuid()::text, '-', '');
        ALTER TABLE session ADD COLUMN address TEXT NOT NULL DEFAULT '';
        ALTER TABLE session ADD COLUMN agent TEXT NOT NULL DEFAULT '';
        CREATE UNIQUE INDEX session_id ON session (id);
        CREATE INDEX session_of_owner ON session (owner);

        ALTER TABLE api_key ADD COLUMN expires BIGINT;
        ALTER TABLE api_key ADD COLUMN models TEXT;

        CREATE TABLE used_login (
            state TEXT PRIMARY KEY,
            expires BIGINT NOT NULL
        );

        CREATE TABLE user_group (
            name TEXT PRIMARY KEY,
            title TEXT NOT NULL,
            origin TEXT NOT NULL CHECK (origin IN ('file', 'panel')),
            created BIGINT NOT NULL,
            disabled BIGINT
        );

        CREATE TABLE member (
            group_name TEXT NOT NULL REFERENCES user_group (name),
            member BIGINT NOT NULL REFERENCES users (id),
            since BIGINT NOT NULL,
            PRIMARY KEY (group_name, member)
        );
        CREATE INDEX member_groups ON member (member);

        CREATE TABLE audit (
            number BIGINT PRIMARY KEY,
            time BIGINT NOT NULL,
            actor BIGINT,
            actor_email TEXT,
            address TEXT,
            action TEXT NOT NULL,
            subject TEXT NOT NULL,
            before TEXT,
            after TEXT,
            request TEXT,
            hash TEXT NOT NULL
        );
        CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$;
        CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
            FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
        """
}
