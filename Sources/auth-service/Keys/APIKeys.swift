import Logging
import SharedProtocol
import Storage

/// API keys: made here and shown once, looked up by their hash, revoked by their owner.
struct APIKeys: Sendable {
    private let database: ServiceDatabase
    private let changes: AuditedChanges
    private let revocations: RevocationFeed
    private let lastUse: LastUseWriter
    private let configuration: @Sendable () -> LumenConfiguration
    private let clock: @Sendable () -> Timestamp
    private let logger: Logger

    init(
        _ changes: AuditedChanges, _ lastUse: LastUseWriter,
        configuration: @escaping @Sendable () -> LumenConfiguration, clock: @escaping @Sendable () -> Timestamp,
        logger: Logger
    ) {
        self.changes = changes
        database = changes.database
        revocations = changes.revocations
        self.lastUse = lastUse
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
    }

    /// Who holds the key; notes that it was used.
    func authenticate(_ key: CredentialHash) async throws(CallError) -> Auth.KeyHolder {
        let now = clock()
        let (holder, lastUsed) = try await database.read { [configuration] connection in
            guard let row = try connection.row(Self.holderQuery, [key.rawValue]) else {
                throw CallError(.unauthenticated, "There is no such API key.")
            }
            let terms = try KeyTerms(row)
            if let expires = terms.expires, expires <= now {
                throw CallError(.unauthenticated, "This API key has expired.")
            }
            let holder = Auth.KeyHolder(
                person: try User(row).person(configuration, connection), key: KeyID(row["key_id"]), cap: terms.cap,
                expires: terms.expires, models: terms.models, revision: row["revision"])
            return (holder, (row["last_used"] as Int64?).map { Timestamp($0) })
        }
        lastUse.note(.key(holder.key), at: now, lastNoted: lastUsed)
        return holder
    }

    private static let holderQuery = """
        SELECT api_key.id AS key_id, \(KeyTerms.columns), api_key.last_used, \(User.columns), revision.revision
        FROM api_key JOIN users ON users.id = api_key.owner CROSS JOIN revision
        WHERE api_key.hash = ? AND api_key.revoked IS NULL
        """

    /// Makes a key; the reply is the only place where it is ever seen.
    func create(_ call: Auth.CreateKey, _ request: RequestID?) async throws(CallError) -> Auth.NewKey {
        let owner = try call.owner.normalized()
        let name = try call.name.named("A key's name")
        let now = clock()
        let terms = try KeyTerms(call, at: now)
        let secret = KeySecret.random()
        let hash = CredentialHash(of: secret.text, under: configuration().app.encryptionKey.reveal())
        let most = configuration().api.maxKeysPerUser
        let (user, summary) = try await database.write { connection in
            let user = try Self.owner(owner, at: now, connection)
            let count: Int? = try connection.value(
                "SELECT count(*) FROM api_key WHERE owner = ? AND revoked IS NULL", [user.rawValue])
            guard let count, count < most else {
                throw CallError(.refused, "There are \(most) keys already, which is the most; revoke one first.")
            }
            let id = try connection.insert(
                """
                INSERT INTO api_key (owner, hash, name, hint, created, cap, expires, models)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id
                """,
                [user.rawValue, hash.rawValue, name, secret.hint, now.rawValue] + (try terms.values))
            let summary = Auth.KeySummary(
                id: KeyID(id), name: name, hint: secret.hint, cap: terms.cap, expires: terms.expires,
                models: terms.models, created: now, lastUsed: nil)
            return (user, summary)
        }
        logger.change("key created", request, user: user, key: summary.id)
        return Auth.NewKey(secret: secret.text, summary: summary)
    }

    private static func owner(
        _ owner: Auth.KeyOwner, at now: Timestamp, _ connection: any SQLConnection
    ) throws -> UserID {
        let user =
            switch owner {
            case .user(let id): try User.get(id, connection)
            case .email(let email): try User.findOrCreate(email: email, at: now, connection)
            }
        if user.isDisabled { throw CallError(.accountDisabled, "This account is disabled.") }
        return user.id
    }

    /// The user's keys that are not revoked, newest first.
    func list(of user: UserID) async throws(CallError) -> [Auth.KeySummary] {
        try await database.read { connection in
            try connection.rows(
                """
                SELECT id, name, hint, \(KeyTerms.columns), created, last_used FROM api_key
                WHERE owner = ? AND revoked IS NULL ORDER BY id DESC
                """,
                [user.rawValue]
            ).map { row in
                let terms = try KeyTerms(row)
                return Auth.KeySummary(
                    id: KeyID(row["id"]), name: row["name"], hint: row["hint"], cap: terms.cap, expires: terms.expires,
                    models: terms.models, created: Timestamp(row["created"]),
                    lastUsed: (row["last_used"] as Int64?).map { Timestamp($0) })
            }
        }
    }

    /// Takes a key out of use. Answered once it is on disk.
    func revoke(_ call: Auth.RevokeKey, _ request: RequestID?) async throws(CallError) -> Done {
        guard let admin = call.by else { return try await revokeOwn(call, request) }
        try await changes.make(by: admin, request) { change in
            let owner = try User.get(call.user, change.connection)
            guard let hint = try Self.revoke(call, at: change.time, change.connection) else { return }
            try change.note(
                "key.revoke", owner.subject, before: "key \(call.key) \(hint)", touchesAccess: true)
        }
        return Done()
    }

    private func revokeOwn(_ call: Auth.RevokeKey, _ request: RequestID?) async throws(CallError) -> Done {
        let now = clock()
        let revision = try await database.write { connection -> Int64? in
            try Self.revoke(call, at: now, connection) == nil ? nil : try Revision.advance(connection)
        }
        if let revision {
            revocations.advance(to: revision)
            logger.change("key revoked", request, user: call.user, key: call.key)
        }
        return Done()
    }

    /// - Returns: the key's hint; nil when it had been revoked before.
    private static func revoke(
        _ call: Auth.RevokeKey, at now: Timestamp, _ connection: any SQLConnection
    ) throws -> String? {
        let hint: String? = try connection.value(
            "UPDATE api_key SET revoked = ? WHERE id = ? AND owner = ? AND revoked IS NULL RETURNING hint",
            [now.rawValue, call.key.rawValue, call.user.rawValue])
        if hint != nil { return hint }
        let theirs = try connection.row(
            "SELECT 1 FROM api_key WHERE id = ? AND owner = ?", [call.key.rawValue, call.user.rawValue])
        if theirs == nil { throw CallError(.notFound, "There is no such key of yours.") }
        return nil
    }
}
