import Storage

/// The migrations of web's own database, `lumen.web.db`. A released one is never changed: the next one mends it.
let webMigrations = [
    Migration(1, ChatSchema.conversations),
    Migration(2, PendingPosts.schema),
]
