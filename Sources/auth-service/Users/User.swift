import NIOCore
import SharedProtocol
import Storage

/// A person's row.
struct User: Sendable {
    var id: UserID
    var email: String
    var name: String
    var created: Timestamp
    var isDisabled: Bool
    var identity: Auth.Identity?
    /// What the identity provider said at the last login.
    var claims: Claims
    var lastLogin: Timestamp?

    /// The columns that `init(_:)` reads, to be selected from `users`.
    static let columns = """
        users.id AS user_id, users.email, users.name AS user_name, users.created AS user_created, users.disabled,
        users.issuer, users.subject, users.claims, users.last_login
        """

    init(_ row: SQLRow) {
        id = UserID(row["user_id"])
        email = row["email"]
        name = row["user_name"]
        created = Timestamp(row["user_created"])
        isDisabled = (row["disabled"] as Int64?) != nil
        if let issuer: String = row["issuer"], let subject: String = row["subject"] {
            identity = Auth.Identity(issuer: issuer, subject: subject)
        }
        claims = Self.claims(row["claims"])
        lastLogin = (row["last_login"] as Int64?).map { Timestamp($0) }
    }

    /// Claims that cannot be read make nobody a member of anything.
    private static func claims(_ text: String) -> Claims {
        text == "{}" ? [:] : (try? ByteBuffer(string: text).decodeJSON(Claims.self)) ?? [:]
    }

    /// How the audit log names them.
    var subject: String { "user \(id) \(email)" }
}

extension User {
    static func find(_ id: UserID, _ connection: any SQLConnection) throws -> User? {
        try connection.row("SELECT \(columns) FROM users WHERE id = ?", [id.rawValue]).map { User($0) }
    }

    /// Throws `not_found`.
    static func get(_ id: UserID, _ connection: any SQLConnection) throws -> User {
        guard let user = try find(id, connection) else { throw CallError(.notFound, "There is no such user.") }
        return user
    }

    /// The user with this address, made now if there is none; whoever first logs in with the address claims it.
    ///
    /// - Parameter email: in lower case.
    static func findOrCreate(email: String, at now: Timestamp, _ connection: any SQLConnection) throws -> User {
        _ = try create(email: email, at: now, connection)
        let row = try connection.row("SELECT \(columns) FROM users WHERE email = ?", [email])
        guard let row else { throw CallError(.storageFailed, "The user could not be made.") }
        return User(row)
    }

    /// - Returns: nil when the address is taken.
    static func create(email: String, at now: Timestamp, _ connection: any SQLConnection) throws -> UserID? {
        try connection.value(
            "INSERT INTO users (email, name, created) VALUES (?, ?, ?) ON CONFLICT (email) DO NOTHING RETURNING id",
            [email, String(email.prefix { $0 != "@" }), now.rawValue]
        ).map { UserID($0) }
    }
}

extension User {
    /// What other services may know of them. Throws `account_disabled`: a disabled person gets nowhere.
    ///
    /// - Parameter groups: the configuration's, asked for after the row was read: a change of the rules, whose revision the
    ///   reply carries, is then in it.
    func person(_ groups: @Sendable () -> LumenConfiguration, _ connection: any SQLConnection) throws -> Auth.Person {
        if isDisabled { throw CallError(.accountDisabled, "This account is disabled.") }
        let hand = try HandMembership.of([id], connection)[id] ?? []
        return person(Memberships(claims, byHand: hand, in: groups().groups))
    }

    private func person(_ memberships: Memberships) -> Auth.Person {
        Auth.Person(id: id, email: email, name: name, groups: memberships.counting, created: created)
    }

    /// Who they are, whether or not they may still get in.
    func record(_ memberships: Memberships) -> Auth.UserRecord {
        Auth.UserRecord(
            person: person(memberships), memberships: memberships.all, identity: identity, lastLogin: lastLogin,
            isDisabled: isDisabled)
    }
}
