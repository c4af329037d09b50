import Logging
import ServiceLifecycle
import SharedProtocol
import Storage

/// Hears of what other instances of auth, on the same PostgreSQL database, took away: they notify, and it looks at the
/// revision in any case.
struct RevocationFollower: ServiceLifecycle.Service {
    /// Half of the second within which a revocation counts everywhere.
    static let interval = Duration.milliseconds(500)

    let database: ServiceDatabase
    let listener: DatabaseListener
    let feed: RevocationFeed
    var interval = Self.interval

    /// Nil when there can be no other instance.
    init?(_ database: ServiceDatabase, _ feed: RevocationFeed) {
        guard let listener = database.listener(on: Revision.channel) else { return nil }
        self.database = database
        self.listener = listener
        self.feed = feed
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await listener.next(within: interval)
                await follow()
            }
        }
    }

    /// What the database does not tell now, it tells the next time.
    func follow() async {
        guard let revision = try? await database.read(Revision.current) else { return }
        feed.advance(to: revision)
    }
}
