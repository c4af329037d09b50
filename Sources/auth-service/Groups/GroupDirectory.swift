import SharedProtocol
import Storage

/// Looks groups and their members up for admins.
struct GroupDirectory: Sendable {
    let database: ServiceDatabase
    let configuration: @Sendable () -> LumenConfiguration

    /// Users whose claims are in memory at once, while the members by rule are looked for.
    private static let batch = 1000

    func list() async throws(CallError) -> [Auth.GroupRecord] {
        try await database.read { connection in
            try connection.rows(
                """
                SELECT \(Group.columns), (SELECT count(*) FROM member WHERE group_name = user_group.name) AS members
                FROM user_group
                """
            ).map { row in
                let group = Group(row)
                return Auth.GroupRecord(
                    name: group.name, title: group.title, origin: group.origin, isDisabled: group.isDisabled,
                    handMembers: row["members"])
            }.sorted { $0.name.rawValue < $1.name.rawValue }
        }
    }

    func members(_ call: Auth.ListMembers) async throws(CallError) -> Auth.MemberPage {
        try refuseEveryone(call.group)
        try checkPage(limit: call.limit, offset: call.offset)
        return try await database.read { connection in
            _ = try Group.get(call.group, connection)
            if let group = configuration().groups[call.group], !group.rules.isEmpty {
                return try Self.membersByRule(of: group, call, connection)
            }
            return try Self.membersByHand(call, connection)
        }
    }

    private static func membersByHand(
        _ call: Auth.ListMembers, _ connection: any SQLConnection
    ) throws -> Auth.MemberPage {
        let total: Int? = try connection.value(
            "SELECT count(*) FROM member WHERE group_name = ?", [call.group.rawValue])
        let rows = try connection.rows(
            """
            SELECT \(User.columns) FROM member JOIN users ON users.id = member.member
            WHERE member.group_name = ? ORDER BY users.email LIMIT ? OFFSET ?
            """, [call.group.rawValue, call.limit, call.offset])
        let members = rows.map { User($0).member(isByRule: false, isByHand: true) }
        return Auth.MemberPage(members: members, total: total ?? 0)
    }

    /// Looks at everybody: who is in a group by its rules is stored nowhere.
    private static func membersByRule(
        of group: GroupConfiguration, _ call: Auth.ListMembers, _ connection: any SQLConnection
    ) throws -> Auth.MemberPage {
        let hand = Set(
            try connection.rows("SELECT member FROM member WHERE group_name = ?", [call.group.rawValue])
                .map { UserID($0[0]) })
        var page = Auth.MemberPage(members: [], total: 0)
        var last = ""
        while true {
            let users = try connection.rows(
                "SELECT \(User.columns) FROM users WHERE email > ? ORDER BY email LIMIT ?", [last, batch]
            ).map { User($0) }
            guard let end = users.last else { return page }
            last = end.email
            for user in users {
                let (isByRule, isByHand) = (group.matches(user.claims), hand.contains(user.id))
                guard isByRule || isByHand else { continue }
                if page.total >= call.offset, page.members.count < call.limit {
                    page.members.append(user.member(isByRule: isByRule, isByHand: isByHand))
                }
                page.total += 1
            }
        }
    }
}

extension User {
    fileprivate func member(isByRule: Bool, isByHand: Bool) -> Auth.Member {
        Auth.Member(user: id, email: email, name: name, isByRule: isByRule, isByHand: isByHand)
    }
}
