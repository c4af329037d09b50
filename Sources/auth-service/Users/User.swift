import GRDB
import SharedProtocol

/// A person's row.
struct User {
    var id: UserID
    var email: String
    var name: String
    var created: Timestamp
    var isDisabled: Bool

    /// The columns that `init(_:)` reads, to be selected from `user`.
    static let columns =
        "user.id AS user_id, user.email, user.name AS user_name, user.created AS user_created, user.disabled"

    init(_ row: Row) {
        id = UserID(row["user_id"])
        email = row["email"]
        name = row["user_name"]
        created = Timestamp(row["user_created"])
        isDisabled = row["disabled"] != nil
    }

    /// What other services may know of them. A disabled person gets nowhere.
    func person() throws(CallError) -> Auth.Person {
        if isDisabled { throw CallError(.accountDisabled, "This account is disabled.") }
        return Auth.Person(id: id, email: email, name: name, groups: Membership.groups(of: self), created: created)
    }
}

extension User {
    static func find(_ id: UserID, _ database: Database) throws -> User? {
        try Row.fetchOne(database, sql: "SELECT \(columns) FROM user WHERE id = ?", arguments: [id.rawValue])
            .map { User($0) }
    }

    /// The user with this address, made now if there is none; whoever first logs in with the address claims it.
    ///
    /// - Parameter email: in lower case.
    static func findOrCreate(email: String, at now: Timestamp, _ database: Database) throws -> User {
        try database.execute(
            sql: "INSERT INTO user (email, name, created) VALUES (?, ?, ?) ON CONFLICT (email) DO NOTHING",
            arguments: [email, String(email.prefix { $0 != "@" }), now.rawValue])
        let row = try Row.fetchOne(
            database, sql: "SELECT \(columns) FROM user WHERE email = ?", arguments: [email])
        guard let row else { throw CallError(.storageFailed, "The user could not be made.") }
        return User(row)
    }
}
