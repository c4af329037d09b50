import SharedProtocol
import Storage

/// Which groups a person is in, and why. Everyone is in `default`; others follow from the rules of the configuration in
/// force, so that a changed rule holds at once for everybody, or are given by hand.
struct Memberships: Sendable, Hashable {
    /// By name, without `default`. Groups that are disabled are among them.
    private(set) var all: [Auth.Membership] = []
    /// Those that count now, `default` first.
    private(set) var counting = [GroupName.everyone]

    /// - Parameters:
    ///   - claims: what the identity provider said at the last login.
    ///   - hand: the groups that an admin has put the person into.
    ///   - groups: the configuration's.
    init(_ claims: Claims, byHand hand: [HandMembership], in groups: [GroupName: GroupConfiguration]) {
        let rules = Set(groups.values.filter { $0.name != .everyone && $0.matches(claims) }.map(\.name))
        let places = Dictionary(hand.map { ($0.group, $0) }) { first, _ in first }
        for name in rules.union(places.keys).sorted(by: { $0.rawValue < $1.rawValue }) {
            all.append(
                Auth.Membership(group: name, isByRule: rules.contains(name), isByHand: places[name] != nil))
            // The file decides about its groups; the table has them only for their members, and may be a moment behind.
            let isEnabled = groups[name].map { !$0.isDisabled } ?? places[name]?.isEnabledPanelGroup ?? false
            if isEnabled { counting.append(name) }
        }
    }
}

/// A person's place in a group that an admin gave them.
struct HandMembership: Sendable, Hashable {
    var group: GroupName
    /// False for a group that has left the file, too.
    var isEnabledPanelGroup: Bool

    private init(_ row: SQLRow) {
        group = GroupName(row["name"])
        isEnabledPanelGroup = row["origin"] == Auth.GroupOrigin.panel.rawValue && (row["disabled"] as Int64?) == nil
    }

    init(group: GroupName, isEnabledPanelGroup: Bool) {
        self.group = group
        self.isEnabledPanelGroup = isEnabledPanelGroup
    }

    /// Those of some users.
    static func of(_ users: [UserID], _ connection: any SQLConnection) throws -> [UserID: [HandMembership]] {
        let rows = try connection.rows(
            """
            SELECT member.member, user_group.name, user_group.origin, user_group.disabled
            FROM member JOIN user_group ON user_group.name = member.group_name
            WHERE member.member \(IDList.condition(connection))
            """, [IDList.value(users.map(\.rawValue), connection)])
        return Dictionary(grouping: rows) { UserID($0["member"]) }
            .mapValues { $0.map { HandMembership($0) } }
    }
}

/// A condition on many ids with one value, so that the text of the statement is the same for any number of them.
enum IDList {
    static func condition(_ connection: any SQLConnection) -> String {
        connection.engine == .sqlite
            ? "IN (SELECT value FROM json_each(?))" : "= ANY (CAST(? AS BIGINT[]))"
    }

    static func value(_ ids: [Int64], _ connection: any SQLConnection) -> String {
        let list = ids.map { String($0) }.joined(separator: ",")
        return connection.engine == .sqlite ? "[\(list)]" : "{\(list)}"
    }
}
