import SharedProtocol
import Storage

/// Looks users up for admins.
struct UserDirectory: Sendable {
    let database: ServiceDatabase

    /// Users whose address or name contains the text.
    func find(_ call: Auth.FindUsers) async throws(CallError) -> Auth.UserPage {
        guard 1...200 ~= call.limit else { throw CallError(.invalidParams, "limit is not from 1 to 200") }
        guard call.offset >= 0 else { throw CallError(.invalidParams, "offset is negative") }
        let direction = call.isDescending ? "DESC" : "ASC"
        let condition = "email LIKE ? ESCAPE '\\' OR lower(name) LIKE ? ESCAPE '\\'"
        let sql = """
            SELECT \(User.columns) FROM users WHERE \(condition)
            ORDER BY \(call.sort.expression) \(direction), id \(direction) LIMIT ? OFFSET ?
            """
        let pattern = Self.pattern(containing: call.search)
        return try await database.read { connection in
            let total: Int64? = try connection.value(
                "SELECT count(*) FROM users WHERE \(condition)", [pattern, pattern])
            let users = try connection.rows(sql, [pattern, pattern, Int64(call.limit), Int64(call.offset)])
            return Auth.UserPage(users: users.map { User($0).record }, total: Int(total ?? 0))
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

extension Auth.UserOrder {
    fileprivate var expression: String {
        switch self {
        case .email: "email"
        case .name: "lower(name)"
        case .created: "created"
        case .lastLogin: "coalesce(last_login, 0)"
        }
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
