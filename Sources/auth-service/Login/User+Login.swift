import NIOCore
import SharedProtocol
import Storage

extension User {
    /// The row of a person whom the provider vouches for: theirs; or one without an identity that has their address, which is
    /// theirs from now on; or a new one. It is brought up to date with what the provider says.
    ///
    /// - Returns: also whether they may have lost something: their claims or their address were others.
    /// - Throws: `LoginProblem`, with nothing changed, when they may not get in.
    static func logIn(
        _ person: VerifiedPerson, at now: Timestamp, _ connection: any SQLConnection
    ) throws -> (user: User, hasChanged: Bool) {
        let identity: [any SQLConvertible] = [person.identity.issuer, person.identity.subject]
        let known = try connection.row("SELECT \(columns) FROM users WHERE issuer = ? AND subject = ?", identity)
        let old = try known.map { User($0) } ?? unclaimed(person, at: now, connection)
        if old.isDisabled { throw LoginProblem(.accountDisabled, "the account is disabled") }
        var user = old
        // An address that somebody else has stays theirs.
        if try !isTaken(person.email, connection) { user.email = person.email }
        user.name = person.name ?? old.name
        user.claims = person.groupClaims.values
        try connection.execute(
            """
            UPDATE users SET issuer = ?, subject = ?, email = ?, name = ?, claims = ?, last_login = ? WHERE id = ?
            """,
            identity + [user.email, user.name, try person.groupClaims.json(), now.rawValue, user.id.rawValue])
        let lost = GroupClaims(old.claims)
        return (user, old.email != user.email || (lost != GroupClaims() && lost != person.groupClaims))
    }

    private static func isTaken(_ email: String, _ connection: any SQLConnection) throws -> Bool {
        try connection.row("SELECT 1 FROM users WHERE email = ?", [email]) != nil
    }

    /// A row for somebody who logs in for the first time.
    private static func unclaimed(
        _ person: VerifiedPerson, at now: Timestamp, _ connection: any SQLConnection
    ) throws -> User {
        let user = try findOrCreate(email: person.email, at: now, connection)
        let subject: String? = try connection.value("SELECT subject FROM users WHERE id = ?", [user.id.rawValue])
        guard subject == nil else { throw LoginProblem(.emailTaken, "the e-mail address belongs to another identity") }
        return user
    }
}

extension GroupClaims {
    /// As it is stored.
    fileprivate func json() throws(CallError) -> String {
        var buffer = ByteBuffer()
        try buffer.writeJSON(self)
        return String(buffer: buffer)
    }
}
