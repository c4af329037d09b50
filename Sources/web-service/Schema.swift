import Storage

/// The migrations of web's own database. A released one is never changed: the next one mends it.
let webMigrations = [
    Migration(1, sqlite: ChatSchema.sqlite, postgres: ChatSchema.postgres),
    Migration(2, sqlite: PendingPosts.schema + " STRICT", postgres: PendingPosts.schema),
    // Several webs on one database: what belongs to which.
    Migration(3, sqlite: Presence.schema(integer: "INTEGER"), postgres: Presence.schema(integer: "BIGINT")),
    Migration(
        4, sqlite: IdempotencyKeys.schema(integer: "INTEGER"), postgres: IdempotencyKeys.schema(integer: "BIGINT")),
]
