import NIOCore
import SharedProtocol

/// What a connection is opened with, and its limits. The server keeps the shorter ones, so that a statement that takes too
/// long costs an error and not the connection; ours are for a server that does not answer at all.
struct PostgresSettings: Sendable {
    let library: PostgresLibrary
    let url: Secret
    /// Of letters only.
    let schema: String

    /// For a connection to be made, name resolution not counted.
    static let connectLimit = TimeAmount.seconds(4)
    /// For a transaction, all its attempts together.
    static let transactionLimit = TimeAmount.seconds(5)
    /// For a transaction that only reads and is known to take long.
    static let longLimit = TimeAmount.minutes(10)
    /// For all migrations, those of other instances included.
    static let migrationLimit = TimeAmount.minutes(10)
    /// For the answer to a ping.
    static let pingLimit = TimeAmount.seconds(2)

    /// Said to the server first of all. A session that is in a transaction and silent belongs to a process that was
    /// stopped: others must not wait for its locks.
    var session: String {
        """
        SET search_path TO "\(schema)"; SET synchronous_commit TO on; SET statement_timeout TO '4s';
        SET lock_timeout TO '3s'; SET idle_in_transaction_session_timeout TO '10s';
        SELECT current_setting('synchronous_commit'), current_setting('fsync')
        """
    }

    /// The URL comes last, so that what it says wins.
    var parameters: [(keyword: String, value: String)] {
        [
            ("application_name", "lumen-\(schema)"), ("client_encoding", "UTF8"),
            // A peer that is gone without a word is noticed within about 15 s also by connections that only wait.
            ("keepalives_idle", "6"), ("keepalives_interval", "3"), ("keepalives_count", "3"),
            ("tcp_user_timeout", "5000"), ("dbname", url.reveal()),
        ]
    }
}
