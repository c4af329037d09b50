import Storage

/// The service's tables. Times are milliseconds since 1970 in UTC; ids are never reused.
enum Schema {
    static let migrations = [
        Migration(
            1,
            """
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
            """)
    ]
}
