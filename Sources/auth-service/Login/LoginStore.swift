import Logging
import SharedProtocol
import Storage

/// What logging in reads and writes: attempts that have come back, and the people who get in.
struct LoginStore: Sendable {
    private let database: ServiceDatabase
    private let revocations: RevocationFeed
    private let configuration: @Sendable () -> LumenConfiguration
    private let logger: Logger

    init(
        _ database: ServiceDatabase, _ revocations: RevocationFeed,
        configuration: @escaping @Sendable () -> LumenConfiguration, logger: Logger
    ) {
        self.database = database
        self.revocations = revocations
        self.configuration = configuration
        self.logger = logger
    }

    /// Notes that the attempt has come back; false when it had before. Attempts that have expired since are forgotten: they
    /// are refused anyway.
    func use(_ attempt: LoginAttempt, _ key: LoginKey, at now: Timestamp) async throws(CallError) -> Bool {
        let name = key.code(.used, attempt.state)
        return try await database.write { connection in
            try connection.execute("DELETE FROM used_login WHERE expires <= ?", [now.rawValue])
            return try connection.execute(
                "INSERT INTO used_login (state, expires) VALUES (?, ?) ON CONFLICT (state) DO NOTHING",
                [name, attempt.expires.rawValue]) > 0
        }
    }

    func isUsed(_ state: String, _ key: LoginKey) async throws(CallError) -> Bool {
        let name = key.code(.used, state)
        return try await database.read { try $0.row("SELECT 1 FROM used_login WHERE state = ?", [name]) != nil }
    }

    /// Opens a session for a person, who is made, claimed or brought up to date in the same transaction.
    ///
    /// - Throws: `LoginProblem` when they may not get in; `CallError` when the database does not do it.
    func open(
        _ new: NewSession, for verified: VerifiedPerson, _ request: RequestID?
    ) async throws -> Auth.OpenedSession {
        let entry = try await database.write { connection -> Result<Entry, LoginProblem> in
            do {
                return .success(try enter(verified, new, connection))
            } catch let problem as LoginProblem {
                return .failure(problem)
            }
        }
        let (person, revision) = try (entry.get().person, entry.get().revision)
        if let revision { revocations.advance(to: revision) }
        logger.change("session opened", request, user: person.id)
        return Auth.OpenedSession(secret: new.secret, person: person)
    }

    private struct Entry {
        var person: Auth.Person
        /// There when something was taken away: an older session, or what other claims gave.
        var revision: Int64?
    }

    private func enter(
        _ verified: VerifiedPerson, _ new: NewSession, _ connection: any SQLConnection
    ) throws -> Entry {
        let (user, hasChanged) = try User.logIn(verified, at: new.opened, connection)
        let person = try user.person(configuration, connection)
        let hasEnded = try new.insert(for: user.id, connection)
        return Entry(person: person, revision: hasChanged || hasEnded ? try Revision.advance(connection) : nil)
    }
}
