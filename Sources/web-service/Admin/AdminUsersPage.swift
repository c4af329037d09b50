import Hummingbird
import SharedProtocol

extension Site {
    /// Everyone there is, to be searched by e-mail address.
    func adminUsers(_ visit: Visit) async throws -> Response {
        let search = visit.query("search") ?? ""
        let after = visit.query("after")
        let call = Auth.FindUsers(search: search, after: after, limit: AdminUsersPage.usersPerPage + 1)
        let found = try await auth.call(call, request: visit.id, timeout: Self.callTimeout)
        let content = AdminUsersPage(found, search: search, isFirstPage: after == nil)
        return page("admin-users", title: "Users", content, for: visit)
    }
}

/// One page of users.
private struct AdminUsersPage: Sendable {
    static let usersPerPage = 50

    var search: String
    var searchEncoded: String
    var users: [Row]
    var isFirstPage: Bool
    /// The address after which the next page begins, for a query.
    var next: String?

    struct Row: Sendable {
        var id: Int64
        var email: String
        var name: String
        var groups: String
        var created: Moment
        var isDisabled: Bool
    }

    /// - Parameter found: one more than is shown, when there are more.
    init(_ found: [Auth.UserRecord], search: String, isFirstPage: Bool) {
        self.search = search
        searchEncoded = search.percentEncoded
        let shown = found.prefix(Self.usersPerPage)
        users = shown.map { user in
            Row(
                id: user.person.id.rawValue, email: user.person.email, name: user.person.name,
                groups: user.person.groupList, created: Moment(user.person.created), isDisabled: user.isDisabled)
        }
        self.isFirstPage = isFirstPage
        next = found.count > Self.usersPerPage ? shown.last?.person.email.percentEncoded : nil
    }
}

extension Auth.Person {
    /// In words, always in the same order.
    var groupList: String { groups.map(\.rawValue).sorted().joined(separator: ", ") }
}
