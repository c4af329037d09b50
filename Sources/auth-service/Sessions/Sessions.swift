import Logging
import SharedProtocol
import Storage

/// Browser sessions: opened by a login, extended by use, ended by logout or by age. The cookie's value is known to the
/// browser alone; what is stored is its hash.
struct Sessions: Sendable {
    let database: ServiceDatabase
    private let revocations: RevocationFeed
    private let lastUse: LastUseWriter
    private let configuration: @Sendable () -> LumenConfiguration
    private let clock: @Sendable () -> Timestamp
    private let logger: Logger

    init(
        _ database: ServiceDatabase, _ revocations: RevocationFeed, _ lastUse: LastUseWriter,
        configuration: @escaping @Sendable () -> LumenConfiguration, clock: @escaping @Sendable () -> Timestamp,
        logger: Logger
    ) {
        self.database = database
        self.revocations = revocations
        self.lastUse = lastUse
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
    }

    /// Whose session this is; notes that it was used.
    func resume(_ session: CredentialHash) async throws(CallError) -> Auth.SessionHolder {
        let now = clock()
        let limits = currentLimits(at: now)
        let (holder, seen) = try await database.read { [configuration] connection in
            guard let row = try connection.row(Self.resumeQuery, [session.rawValue]),
                limits.allow(opened: Timestamp(row["opened"]), seen: Timestamp(row["seen"]))
            else { throw CallError(.unauthenticated, "There is no such session.") }
            let person = try User(row).person(configuration, connection)
            return (Auth.SessionHolder(person: person, revision: row["revision"]), Timestamp(row["seen"]))
        }
        lastUse.note(.session(session), at: now, lastNoted: seen)
        return holder
    }

    func currentLimits(at now: Timestamp? = nil) -> SessionLimits {
        SessionLimits(configuration().sessions, now: now ?? clock())
    }

    private static let resumeQuery = """
        SELECT session.opened, session.seen, \(User.columns), revision.revision
        FROM session JOIN users ON users.id = session.owner CROSS JOIN revision
        WHERE session.hash = ?
        """

    /// Logs in as the configuration's `app.dev_user`.
    func openForDevUser(_ browser: Auth.Browser, _ request: RequestID?) async throws(CallError) -> Auth.OpenedSession {
        guard let email = configuration().app.devUser else {
            throw CallError(.refused, "Logging in without an identity provider is not configured.")
        }
        let new = NewSession(browser, configuration(), at: clock())
        let person = try await database.write { [configuration] connection in
            let user = try User.findOrCreate(email: email, at: new.opened, connection)
            let person = try user.person(configuration, connection)
            _ = try new.insert(for: user.id, connection)
            return person
        }
        logger.change("session opened", request, user: person.id)
        return Auth.OpenedSession(secret: new.secret, person: person)
    }

    /// Ends the session, if it is there.
    func close(_ session: CredentialHash, _ request: RequestID?) async throws(CallError) -> Done {
        try await remove("hash = ?", [session.rawValue], request, of: nil)
    }

    /// Ends those of which the condition holds.
    func remove(
        _ condition: String, _ values: [any SQLConvertible], _ request: RequestID?, of user: UserID?
    ) async throws(CallError) -> Done {
        let revision = try await database.write { connection -> Int64? in
            let count = try connection.execute("DELETE FROM session WHERE \(condition)", values)
            return count == 0 ? nil : try Revision.advance(connection)
        }
        if let revision {
            revocations.advance(to: revision)
            logger.change("session closed", request, user: user)
        }
        return Done()
    }
}
