import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Hears what others notify. A notification may be missed, as while the server is away: whoever listens looks for itself
/// now and then, too.
public final class DatabaseListener: Sendable {
    private let listener: PostgresListener
    /// libpq blocks.
    private let thread = NIOThreadPool(numberOfThreads: 1)

    init(_ listener: PostgresListener) {
        self.listener = listener
        thread.start()
    }

    deinit { thread.shutdownGracefully { _ in } }

    /// Returns when something was notified since the last time, at the latest after `limit`. Cancelling the task does not
    /// shorten it.
    public func next(within limit: Duration) async {
        let end = NIODeadline.now() + TimeAmount(limit)
        try? await thread.runIfActive { [listener] in listener.wait(until: end) }
    }
}

/// A session that listens, made anew whenever it is lost. Used by one thread at a time.
final class PostgresListener: Sendable {
    private let settings: PostgresSettings
    private let channel: String
    private let kept = NIOLockedValueBox<PostgresConnection?>(nil)

    init(_ settings: PostgresSettings, channel: String) {
        self.settings = settings
        self.channel = channel
    }

    func wait(until end: NIODeadline) {
        let connection = kept.withLockedValue { $0 }
        do throws(PostgresError) {
            if let connection {
                _ = try connection.waitForNotification(until: end)
            } else {
                // What was notified before is not heard: returning at once has it looked for.
                let new = try listen()
                kept.withLockedValue { $0 = new }
            }
        } catch {
            kept.withLockedValue { $0 = nil }
            // The thread is its own: no connection shall mean no hurry.
            usleep(UInt32(clamping: max(0, (end - .now()).nanoseconds / 1000)))
        }
    }

    private func listen() throws(PostgresError) -> PostgresConnection {
        let connection = try PostgresConnection.open(settings, until: .now() + PostgresSettings.connectLimit)
        try connection.beginSession(settings)
        _ = try connection.simple("LISTEN \(channel)")
        return connection
    }
}
