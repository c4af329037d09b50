/// The tables of the conversations: a row per message, so that a long conversation slows nobody, and a full-text index that
/// changes in the same transaction. An answer enters the index when it ends, not at each partial save.
enum ChatSchema {
    static let conversations = """
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
}
