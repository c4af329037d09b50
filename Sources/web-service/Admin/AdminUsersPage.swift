import Hummingbird
import SharedProtocol

extension Site {
    /// Everyone there is, to be searched by e-mail address.
    func adminUsers(_ visit: Visit) async throws -> Response {
        let search = visit.query("search") ?? ""
        let offset = visit.query("offset").flatMap { Int($0) }.map { max(0, min($0, 1_000_000)) } ?? 0
        let call = Auth.FindUsers(search: search, offset: offset, limit: AdminUsersPage.usersPerPage)
        let found = try await auth.call(call, request: visit.id, timeout: Self.callTimeout)
        let content = AdminUsersPage(found, search: search, offset: offset)
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
    /// How many users come before the next page.
    var next: Int?

    struct Row: Sendable {
        var id: Int64
        var email: String
        var name: String
        var groups: String
        var created: Moment
        var isDisabled: Bool
    }

    init(_ found: Auth.UserPage, search: String, offset: Int) {
        self.search = search
        searchEncoded = search.percentEncoded
        users = found.users.map { user in
            Row(
                id: user.person.id.rawValue, email: user.person.email, name: user.person.name,
                groups: user.person.groupList, created: Moment(user.person.created), isDisabled: user.isDisabled)
        }
        isFirstPage = offset == 0
        next = offset + users.count < found.total && !users.isEmpty ? offset + users.count : nil
    }
}

extension Auth.Person {
    /// In words, always in the same order.
    var groupList: String { groups.map(\.rawValue).sorted().joined(separator: ", ") }
}
