import Storage

/// The tables of the conversations: a row per message, so that a long conversation slows nobody, and a full-text index that
/// changes in the same transaction. An answer enters the index when it ends, not at each partial save.
enum ChatSchema {
    static let sqlite = """
        CREATE TABLE conversations (
            id TEXT PRIMARY KEY,
            owner INTEGER NOT NULL,
            title TEXT NOT NULL,
            model TEXT NOT NULL,
            created INTEGER NOT NULL,
            updated INTEGER NOT NULL,
            hidden INTEGER NOT NULL DEFAULT 0 CHECK (hidden IN (0, 1))
        ) STRICT;
        CREATE INDEX conversations_of_owner ON conversations (owner, updated, id) WHERE hidden = 0;

        CREATE TABLE messages (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            conversation TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
            role TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
            text TEXT NOT NULL,
            created INTEGER NOT NULL,
            answer TEXT UNIQUE,
            model TEXT,
            state TEXT CHECK (state IN ('running', 'completed', 'stopped', 'failed', 'interrupted')),
            reasoning TEXT,
            problem TEXT,
            bill TEXT,
            CHECK ((role = 'assistant') = (answer IS NOT NULL AND model IS NOT NULL AND state IS NOT NULL))
        ) STRICT;
        CREATE INDEX messages_of_conversation ON messages (conversation, id);
        CREATE UNIQUE INDEX one_running_answer ON messages (conversation) WHERE state = 'running';

        CREATE VIRTUAL TABLE message_words USING fts5 (
            text, content = 'messages', content_rowid = 'id', tokenize = "unicode61 remove_diacritics 2"
        );
        CREATE TRIGGER message_is_searchable AFTER INSERT ON messages WHEN new.state IS NOT 'running' BEGIN
            INSERT INTO message_words (rowid, text) VALUES (new.id, new.text);
        END;
        CREATE TRIGGER answer_is_searchable AFTER UPDATE OF state ON messages
        WHEN old.state = 'running' AND new.state <> 'running' BEGIN
            INSERT INTO message_words (rowid, text) VALUES (new.id, new.text);
        END;
        CREATE TRIGGER message_is_gone AFTER DELETE ON messages WHEN old.state IS NOT 'running' BEGIN
            INSERT INTO message_words (message_words, rowid, text) VALUES ('delete', old.id, old.text);
        END;
        """

    /// The index finds words as SQLite's does: without accents and in any letter case, and ASCII's punctuation stands
    /// between words. It has the first 100,000 characters of a message, because a `tsvector` has at most 1 MB.
    static let postgres = """
        CREATE TABLE conversations (
            id TEXT PRIMARY KEY,
            owner BIGINT NOT NULL,
            title TEXT NOT NULL,
            model TEXT NOT NULL,
            created BIGINT NOT NULL,
            updated BIGINT NOT NULL,
            hidden BIGINT NOT NULL DEFAULT 0 CHECK (hidden IN (0, 1))
        );
        CREATE INDEX conversations_of_owner ON conversations (owner, updated, id) WHERE hidden = 0;

        CREATE FUNCTION without_accents(text TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE PARALLEL SAFE
            RETURN regexp_replace(normalize(text, NFD), U&'[\\0300-\\036F]', '', 'g');
        CREATE FUNCTION words(text TEXT) RETURNS TSVECTOR LANGUAGE sql IMMUTABLE PARALLEL SAFE
            RETURN to_tsvector('simple', translate(
                without_accents(left(text, 100000)), '!"#$%&''()*+,-./:;<=>?@[\\]^_`{|}~', repeat(' ', 32)));

        CREATE TABLE messages (
            id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            conversation TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
            role TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
            text TEXT NOT NULL,
            created BIGINT NOT NULL,
            answer TEXT UNIQUE,
            model TEXT,
            state TEXT CHECK (state IN ('running', 'completed', 'stopped', 'failed', 'interrupted')),
            reasoning TEXT,
            problem TEXT,
            bill TEXT,
            words TSVECTOR GENERATED ALWAYS AS (CASE WHEN state = 'running' THEN NULL ELSE words(text) END) STORED,
            CHECK ((role = 'assistant') = (answer IS NOT NULL AND model IS NOT NULL AND state IS NOT NULL))
        );
        CREATE INDEX messages_of_conversation ON messages (conversation, id);
        CREATE UNIQUE INDEX one_running_answer ON messages (conversation) WHERE state = 'running';
        CREATE INDEX message_words ON messages USING gin (words);
        """
}

extension ChatSchema {
    /// That a conversation's title contains the first value or that one of its messages matches the second.
    static func searchCondition(_ engine: SQLEngine) -> String {
        switch engine {
        case .sqlite:
            """
            (title LIKE ? ESCAPE '\\' OR id IN (
                SELECT conversation FROM message_words JOIN messages ON messages.id = message_words.rowid
                WHERE message_words MATCH ?))
            """
        case .postgres:
            """
            (title ILIKE ? ESCAPE '\\' OR id IN (
                SELECT conversation FROM messages WHERE words @@ to_tsquery('simple', without_accents(?))))
            """
        }
    }

    /// All words, as beginnings of words. Each is quoted, so that nothing of it is taken for the query's language.
    ///
    /// - Parameter words: of letters and digits.
    static func searchPattern(_ words: ArraySlice<Substring>, _ engine: SQLEngine) -> String {
        switch engine {
        case .sqlite: words.map { "\"\($0)\"*" }.joined(separator: " ")
        case .postgres: words.map { "'\($0)':*" }.joined(separator: " & ")
        }
    }
}
