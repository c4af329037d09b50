import SharedProtocol
import Storage

/// Looks users up for admins.
struct UserDirectory: Sendable {
    let database: ServiceDatabase

    /// Users whose address contains the text, in the order of their addresses.
    func find(_ call: Auth.FindUsers) async throws(CallError) -> [Auth.UserRecord] {
        guard 1...200 ~= call.limit else { throw CallError(.invalidParams, "limit is not from 1 to 200") }
        let sql = """
            SELECT \(User.columns) FROM users
            WHERE email LIKE ? ESCAPE '\\' AND email > ? ORDER BY email LIMIT ?
            """
        return try await database.read { connection in
            try connection.rows(sql, [Self.pattern(containing: call.search), call.after ?? "", Int64(call.limit)])
                .map { User($0).record }
        }
    }

    func get(_ id: UserID) async throws(CallError) -> Auth.UserRecord {
        try await database.read { connection in
            guard let user = try User.find(id, connection) else { throw CallError(.notFound, "There is no such user.") }
            return user.record
        }
    }

    func names(of users: [UserID]) async throws(CallError) -> [Auth.UserName] {
        guard users.count <= Auth.NamesOf.most else {
            throw CallError(.refused, "More than \(Auth.NamesOf.most) users were asked for at once.")
        }
        if users.isEmpty { return [] }
        let places = users.map { _ in "?" }.joined(separator: ", ")
        return try await database.read { connection in
            try connection.rows("SELECT id, email FROM users WHERE id IN (\(places))", users.map(\.rawValue))
                .map { Auth.UserName(user: UserID($0["id"]), email: $0["email"]) }
        }
    }

    /// Addresses are stored in lower case. Wildcards in the text are letters like any other: `a_b@` is common.
    private static func pattern(containing text: String) -> String {
        var pattern = "%"
        for letter in text.lowercased().unicodeScalars {
            if "\\%_".unicodeScalars.contains(letter) { pattern.append("\\") }
            pattern.unicodeScalars.append(letter)
        }
        return pattern + "%"
    }
}

extension User {
    /// Who this is, whether or not they may still get in.
    fileprivate var record: Auth.UserRecord {
        Auth.UserRecord(
            person: Auth.Person(
                id: id, email: email, name: name, groups: Membership.groups(of: self), created: created),
            isDisabled: isDisabled)
    }
}
