import Hummingbird
import SharedProtocol

/// What an admin changes about somebody's access: the account itself, its groups, its keys. Auth writes the audit log.
extension Site {
    func disableUser(_ visit: Visit) async throws -> Response {
        let call = Auth.SetUserDisabled(user: try visit.userID(), isDisabled: true, by: visit.actor)
        return try await changeUser(call, .userDisabled, visit)
    }

    func enableUser(_ visit: Visit) async throws -> Response {
        let call = Auth.SetUserDisabled(user: try visit.userID(), isDisabled: false, by: visit.actor)
        return try await changeUser(call, .userEnabled, visit)
    }

    func unlinkUser(_ visit: Visit) async throws -> Response {
        try await changeUser(Auth.UnlinkUser(user: visit.userID(), by: visit.actor), .userUnlinked, visit)
    }

    func joinGroup(_ visit: Visit) async throws -> Response {
        let group = GroupName(try await visit.form(GroupInput.self).group)
        let call = Auth.SetMember(group: group, user: try visit.userID(), isMember: true, by: visit.actor)
        return try await changeUser(call, .memberAdded, visit)
    }

    func leaveGroup(_ visit: Visit) async throws -> Response {
        let call = Auth.SetMember(
            group: try visit.groupName(), user: try visit.userID(), isMember: false, by: visit.actor)
        return try await changeUser(call, .memberRemoved, visit)
    }

    func revokeKeyOfUser(_ visit: Visit) async throws -> Response {
        let call = Auth.RevokeKey(user: try visit.userID(), key: try visit.keyID("key"), by: visit.actor)
        return try await changeUser(call, .keyRevoked, visit)
    }

    /// Makes a change, and goes back to the user's page.
    private func changeUser(
        _ call: some Call, _ notice: AdminNotice, _ visit: Visit
    ) async throws -> Response {
        try await authCall(call, for: visit)
        return .redirect(to: notice.path(after: try "/admin/users/\(visit.userID())"))
    }
}

private struct GroupInput: Decodable {
    var group: String
}

/// The account of a user, for admins: who they are elsewhere, their groups, their keys.
struct UserAccess: Sendable {
    var identity: Auth.Identity?
    var lastLogin: Moment?
    var isDisabled: Bool
    /// The admin's own account, which they cannot disable.
    var isSelf: Bool
    var hasMemberships: Bool
    var memberships: [Membership]
    /// Where the user could be put by hand.
    var hasChoices: Bool
    var groupChoices: [GroupChoice]
    var keyTable: KeyTable?

    struct Membership: Sendable {
        var groupPath: String
        var groupTitle: String
        var isGroupDisabled: Bool
        var isByRule: Bool
        var isByHand: Bool
        var leavePath: String
    }

    struct GroupChoice: Sendable {
        var code: String
        var text: String
    }

    /// - Parameters:
    ///   - keys: nil when they cannot be told.
    ///   - admin: who looks.
    init(_ user: Auth.UserRecord, groups: [Auth.GroupRecord], keys: [Auth.KeySummary]?, admin: UserID) {
        let path = user.adminPath
        let known = Dictionary(groups.map { ($0.name, $0) }) { first, _ in first }
        identity = user.identity
        lastLogin = user.lastLogin.map(Moment.init)
        isDisabled = user.isDisabled
        isSelf = user.person.id == admin
        memberships = user.memberships.map { membership in
            let name = membership.group
            return Membership(
                groupPath: name.adminPath, groupTitle: known[name]?.title ?? name.rawValue,
                isGroupDisabled: known[name]?.isDisabled ?? false, isByRule: membership.isByRule,
                isByHand: membership.isByHand, leavePath: path + "/groups/" + name.pathSegment + "/leave")
        }
        hasMemberships = !memberships.isEmpty
        let taken = Set(user.memberships.filter(\.isByHand).map(\.group))
        groupChoices = groups.filter { $0.name != .everyone && !taken.contains($0.name) }.map { group in
            GroupChoice(code: group.name.rawValue, text: group.title)
        }
        hasChoices = !groupChoices.isEmpty
        keyTable = keys.map { keys in
            KeyTable(keys, label: "Their keys") { path + "/keys/\($0)/revoke" }
        }
    }
}
