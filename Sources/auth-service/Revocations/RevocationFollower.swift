import Logging
import ServiceLifecycle
import SharedProtocol
import Storage

/// Hears of what other instances of auth, on the same PostgreSQL database, took away, by looking at the revision.
struct RevocationFollower: ServiceLifecycle.Service {
    /// Half of the second within which a revocation counts everywhere.
    static let interval = Duration.milliseconds(500)

    let database: ServiceDatabase
    let feed: RevocationFeed

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: Self.interval)) != nil { await follow() }
        }
    }

    /// What the database does not tell now, it tells the next time.
    func follow() async {
        guard let revision = try? await database.read(Revision.current) else { return }
        feed.advance(to: revision)
    }
}
