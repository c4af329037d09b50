import Logging
import SharedProtocol
import Storage

/// API keys: made here and shown once, looked up by their hash, revoked by their owner.
struct APIKeys: Sendable {
    private let database: ServiceDatabase
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

    /// Who holds the key; notes that it was used.
    func authenticate(_ key: CredentialHash) async throws(CallError) -> Auth.KeyHolder {
        let (holder, lastUsed) = try await database.read { connection in
            guard let row = try connection.row(Self.holderQuery, [key.rawValue]) else {
                throw CallError(.unauthenticated, "There is no such API key.")
            }
            let holder = Auth.KeyHolder(
                person: try User(row).person(), key: KeyID(row["key_id"]),
                cap: (row["cap"] as Int64?).map { TokenCount($0) }, revision: row["revision"])
            return (holder, (row["last_used"] as Int64?).map { Timestamp($0) })
        }
        lastUse.note(.key(holder.key), at: clock(), lastNoted: lastUsed)
        return holder
    }

    private static let holderQuery = """
        SELECT api_key.id AS key_id, api_key.cap, api_key.last_used, \(User.columns), revision.revision
        FROM api_key JOIN users ON users.id = api_key.owner CROSS JOIN revision
        WHERE api_key.hash = ? AND api_key.revoked IS NULL
        """

    /// Makes a key; the reply is the only place where it is ever seen.
    func create(_ call: Auth.CreateKey, _ request: RequestID?) async throws(CallError) -> Auth.NewKey {
        let owner = try call.owner.normalized()
        let name = try KeyName(call.name)
        if let cap = call.cap, !(1...Budget.mostTokens ~= cap) {
            throw CallError(.refused, "A key's cap is between 1 and \(Budget.mostTokens) tokens.")
        }
        let configuration = configuration()
        let secret = KeySecret.random()
        let hash = CredentialHash(of: secret.text, under: configuration.app.encryptionKey.reveal())
        let most = configuration.api.maxKeysPerUser
        let now = clock()
        let (user, summary) = try await database.write { connection in
            let user = try Self.user(owner, at: now, connection)
            let count: Int? = try connection.value(
                "SELECT count(*) FROM api_key WHERE owner = ? AND revoked IS NULL", [user.rawValue])
            guard let count, count < most else {
                throw CallError(.refused, "There are \(most) keys already, which is the most; revoke one first.")
            }
            let id = try connection.insert(
                "INSERT INTO api_key (owner, hash, name, hint, cap, created) VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
                [user.rawValue, hash.rawValue, name.text, secret.hint, call.cap?.rawValue, now.rawValue])
            let summary = Auth.KeySummary(
                id: KeyID(id), name: name.text, hint: secret.hint, cap: call.cap, created: now, lastUsed: nil)
            return (user, summary)
        }
        logger.change("key created", request, user: user, key: summary.id)
        return Auth.NewKey(secret: secret.text, summary: summary)
    }

    private static func user(
        _ owner: Auth.KeyOwner, at now: Timestamp, _ connection: any SQLConnection
    ) throws -> UserID {
        switch owner {
        case .user(let id):
            guard let user = try User.find(id, connection) else { throw CallError(.notFound, "There is no such user.") }
            return try user.person().id
        case .email(let email):
            return try User.findOrCreate(email: email, at: now, connection).person().id
        }
    }

    /// The user's keys that are not revoked, newest first.
    func list(of user: UserID) async throws(CallError) -> [Auth.KeySummary] {
        try await database.read { connection in
            try connection.rows(
                """
                SELECT id, name, hint, cap, created, last_used FROM api_key
                WHERE owner = ? AND revoked IS NULL ORDER BY id DESC
                """,
                [user.rawValue]
            ).map { row in
                Auth.KeySummary(
                    id: KeyID(row["id"]), name: row["name"], hint: row["hint"],
                    cap: (row["cap"] as Int64?).map { TokenCount($0) }, created: Timestamp(row["created"]),
                    lastUsed: (row["last_used"] as Int64?).map { Timestamp($0) })
            }
        }
    }

    /// Takes a key of this user out of use. Answered once it is on disk.
    func revoke(_ key: KeyID, of user: UserID, _ request: RequestID?) async throws(CallError) -> Done {
        let now = clock()
        let revision = try await database.write { connection -> Int64? in
            let count = try connection.execute(
                "UPDATE api_key SET revoked = ? WHERE id = ? AND owner = ? AND revoked IS NULL",
                [now.rawValue, key.rawValue, user.rawValue])
            if count > 0 { return try Revision.advance(connection) }
            let theirs = try connection.row(
                "SELECT 1 FROM api_key WHERE id = ? AND owner = ?", [key.rawValue, user.rawValue])
            if theirs == nil { throw CallError(.notFound, "There is no such key of yours.") }
            return nil
        }
        if let revision {
            revocations.advance(to: revision)
            logger.change("key revoked", request, user: user, key: key)
        }
        return Done()
    }
}
