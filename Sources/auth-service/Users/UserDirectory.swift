import SharedProtocol
import Storage

/// Looks users up for admins.
struct UserDirectory: Sendable {
    let database: ServiceDatabase
    let configuration: @Sendable () -> LumenConfiguration

    /// Users whose address or name contains the text.
    func find(_ call: Auth.FindUsers) async throws(CallError) -> Auth.UserPage {
        try checkPage(limit: call.limit, offset: call.offset)
        let direction = call.isDescending ? "DESC" : "ASC"
        let condition = call.search.isEmpty ? "true" : "(email LIKE ? ESCAPE '\\' OR lower(name) LIKE ? ESCAPE '\\')"
        let sql = """
            SELECT \(User.columns) FROM users WHERE \(condition)
            ORDER BY \(call.sort.expression) \(direction), id \(direction) LIMIT ? OFFSET ?
            """
        let pattern = call.search.containedPattern
        let patterns = call.search.isEmpty ? [] : [pattern, pattern]
        return try await database.read { connection in
            let total: Int? = try connection.value("SELECT count(*) FROM users WHERE \(condition)", patterns)
            let values: [any SQLConvertible] = patterns + [call.limit, call.offset]
            let users = try connection.rows(sql, values).map { User($0) }
            return Auth.UserPage(users: try records(of: users, connection), total: total ?? 0)
        }
    }

    func get(_ id: UserID) async throws(CallError) -> Auth.UserRecord {
        try await database.read { connection in
            try records(of: [try User.get(id, connection)], connection)[0]
        }
    }

    func get(_ call: Auth.FindUser) async throws(CallError) -> Auth.UserRecord {
        let email = EmailAddress.normalized(call.email) ?? ""
        return try await database.read { connection in
            let row = try connection.row("SELECT \(User.columns) FROM users WHERE email = ?", [email])
            guard let row else { throw CallError(.notFound, "There is no user with this address.") }
            return try records(of: [User(row)], connection)[0]
        }
    }

    private func records(of users: [User], _ connection: any SQLConnection) throws -> [Auth.UserRecord] {
        let hand = try HandMembership.of(users.map(\.id), connection)
        let groups = configuration().groups
        return users.map { $0.record(Memberships($0.claims, byHand: hand[$0.id] ?? [], in: groups)) }
    }

    func names(of users: [UserID]) async throws(CallError) -> [Auth.UserName] {
        guard users.count <= Auth.NamesOf.most else {
            throw CallError(.refused, "More than \(Auth.NamesOf.most) users were asked for at once.")
        }
        if users.isEmpty { return [] }
        return try await database.read { connection in
            try connection.rows(
                "SELECT id, email FROM users WHERE id \(IDList.condition(connection))",
                [IDList.value(users.map(\.rawValue), connection)]
            ).map { Auth.UserName(user: UserID($0["id"]), email: $0["email"]) }
        }
    }
}

/// Throws `invalid_params` for a page that is none.
func checkPage(limit: Int, offset: Int = 0) throws(CallError) {
    guard 1...200 ~= limit else { throw CallError(.invalidParams, "limit is not from 1 to 200") }
    guard offset >= 0 else { throw CallError(.invalidParams, "offset is negative") }
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
