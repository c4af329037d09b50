import Logging
import ServiceLifecycle
import SharedProtocol
import Storage

/// Which webs live, kept in the database that they share, so that what a dead one left behind is found: answers that nobody
/// writes any more are closed, posts that nobody delivers get a new owner, and requests under an idempotency key count as
/// billed. A SQLite file belongs to one process, so there all others are dead.
struct Presence: ServiceLifecycle.Service {
    static let interval = Duration.seconds(3)
    /// A web that was silent for longer is dead; in milliseconds of the database's clock.
    static let silenceMilliseconds: Int64 = 15_000
    /// A web may find others dead only if it was heard itself this long ago at most; else it was the database that was away.
    static let witnessMilliseconds: Int64 = 7_000

    /// - Parameter integer: the engine's name for 64 bits.
    static func schema(integer: String) -> String {
        """
        CREATE TABLE webs (instance TEXT PRIMARY KEY, seen \(integer) NOT NULL);
        ALTER TABLE messages ADD COLUMN writer TEXT;
        ALTER TABLE pending_posts ADD COLUMN owner TEXT NOT NULL DEFAULT '';
        ALTER TABLE pending_posts ADD COLUMN kept \(integer) NOT NULL DEFAULT 0;
        """
    }

    let database: ServiceDatabase
    let instance: InstanceID
    private static let log = Logger(label: "presence")

    /// To be called before this web does anything that another could take for abandoned.
    func renew() async throws(CallError) {
        // Each statement for itself: chats must not be in its way, nor it in theirs.
        try await database.write(isolation: .readCommitted) { [instance] connection in
            try Self.renew(instance, connection)
            try connection.execute(
                """
                UPDATE messages SET state = 'interrupted' WHERE state = 'running'
                AND (writer IS NULL OR writer NOT IN (SELECT instance FROM webs))
                """)
            try connection.execute(
                "UPDATE pending_posts SET owner = ? WHERE owner NOT IN (SELECT instance FROM webs)",
                [instance.rawValue])
            try IdempotencyKeys.markAbandoned(by: instance, at: .now(), connection)
        }
    }

    private static func renew(_ instance: InstanceID, _ connection: any SQLConnection) throws {
        if connection.engine == .sqlite {
            try connection.execute("DELETE FROM webs")
            try connection.execute("INSERT INTO webs (instance, seen) VALUES (?, 0)", [instance.rawValue])
            return
        }
        let now = "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"
        let silence: Int64? = try connection.value(
            "SELECT \(now) - seen FROM webs WHERE instance = ?", [instance.rawValue])
        try connection.execute(
            """
            INSERT INTO webs (instance, seen) VALUES (?, \(now))
            ON CONFLICT (instance) DO UPDATE SET seen = excluded.seen
            """, [instance.rawValue])
        guard let silence, silence <= witnessMilliseconds else { return }
        try connection.execute("DELETE FROM webs WHERE seen < \(now) - \(silenceMilliseconds)")
    }

    /// Stays alive for the others until shutdown. Stops after what it stands for has stopped.
    func run() async throws {
        // Alone on its database, there is nobody to tell.
        if database.engine == .sqlite {
            try? await gracefulShutdown()
            return
        }
        let isHeard = await cancelWhenGracefulShutdown {
            var isHeard = true
            while (try? await Task.sleep(for: Self.interval)) != nil {
                do throws(CallError) {
                    try await renew()
                    isHeard = true
                } catch {
                    isHeard = false
                    Self.log.warning("this web could not say that it lives", metadata: ["reason": "\(error.message)"])
                }
            }
            return isHeard
        }
        // A database that is away would take all the time that is left to stop in.
        guard isHeard else { return }
        _ = try? await database.write { [instance] in
            try $0.execute("DELETE FROM webs WHERE instance = ?", [instance.rawValue])
        }
    }
}
