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
}
