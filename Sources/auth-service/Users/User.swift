import SharedProtocol
import Storage

/// A person's row.
struct User {
    var id: UserID
    var email: String
    var name: String
    var created: Timestamp
    var isDisabled: Bool

    /// The columns that `init(_:)` reads, to be selected from `users`.
    static let columns =
        "users.id AS user_id, users.email, users.name AS user_name, users.created AS user_created, users.disabled"

    init(_ row: SQLRow) {
        id = UserID(row["user_id"])
        email = row["email"]
        name = row["user_name"]
        created = Timestamp(row["user_created"])
        isDisabled = (row["disabled"] as Int64?) != nil
    }

    /// What other services may know of them. A disabled person gets nowhere.
    func person() throws(CallError) -> Auth.Person {
        if isDisabled { throw CallError(.accountDisabled, "This account is disabled.") }
        return Auth.Person(id: id, email: email, name: name, groups: Membership.groups(of: self), created: created)
    }
}

extension User {
    static func find(_ id: UserID, _ connection: any SQLConnection) throws -> User? {
        try connection.row("SELECT \(columns) FROM users WHERE id = ?", [id.rawValue]).map { User($0) }
    }

    /// The user with this address, made now if there is none; whoever first logs in with the address claims it.
    ///
    /// - Parameter email: in lower case.
    static func findOrCreate(email: String, at now: Timestamp, _ connection: any SQLConnection) throws -> User {
        try connection.execute(
            "INSERT INTO users (email, name, created) VALUES (?, ?, ?) ON CONFLICT (email) DO NOTHING",
            [email, String(email.prefix { $0 != "@" }), now.rawValue])
        let row = try connection.row("SELECT \(columns) FROM users WHERE email = ?", [email])
        guard let row else { throw CallError(.storageFailed, "The user could not be made.") }
        return User(row)
    }
}
