import HTTPTypes
import Hummingbird
import SharedProtocol

extension Site {
    /// Everyone there is, to be searched and sorted, and a form for somebody who has not logged in yet.
    func adminUsers(_ visit: Visit) async throws -> Response {
        try await adminUsersPage(visit, email: FormField())
    }

    func createUser(_ visit: Visit) async throws -> Response {
        let typed = try await visit.form(EmailInput.self).email
        do throws(CallError) {
            let user = try await authCall(Auth.CreateUser(email: typed, by: visit.actor), for: visit)
            return .redirect(to: AdminNotice.userCreated.path(after: user.adminPath))
        } catch {
            guard error.code == .refused else { throw error }
            return try await adminUsersPage(
                visit, email: FormField(text: typed, complaint: error.message), status: .unprocessableContent)
        }
    }

    private func adminUsersPage(
        _ visit: Visit, email: FormField, status: HTTPResponse.Status = .ok
    ) async throws -> Response {
        let view = UserListView(visit)
        let call = Auth.FindUsers(
            search: view.search, sort: view.sort, isDescending: view.isDescending, offset: visit.offset,
            limit: AdminUsersPage.usersPerPage)
        let found = try await authCall(call, for: visit)
        let content = AdminUsersPage(found, view, offset: call.offset, emailField: email)
        return page("admin-users", title: "Users", content, for: visit, status: status)
    }
}

/// An address as somebody typed it.
struct EmailInput: Decodable {
    var email: String
}

/// Which users a page shows, and in which order.
private struct UserListView {
    var search: String
    var sort: Auth.UserOrder
    var isDescending: Bool

    init(_ visit: Visit) {
        search = visit.query("search") ?? ""
        sort = visit.query("sort").flatMap(Auth.UserOrder.init(rawValue:)) ?? .email
        isDescending = visit.query("order") == "down"
    }

    /// Ends so that an offset can be appended.
    var path: String { path(sort, isDescending) }

    func path(_ sort: Auth.UserOrder, _ isDescending: Bool) -> String {
        "/admin/users?search=\(search.percentEncoded)&sort=\(sort.rawValue)&order=\(isDescending ? "down" : "up")&"
    }
}

/// One page of users.
private struct AdminUsersPage: Sendable {
    static let usersPerPage = 50

    var search: String
    var sort: String
    var order: String
    var columns: [Column]
    var hasUsers: Bool
    var users: [Row]
    var pager: Pager
    var emailField: FormField

    /// A heading that sorts the list.
    struct Column: Sendable {
        var name: String
        /// Sorts by it, or the other way round.
        var path: String
        /// For `aria-sort`; absent when the list is sorted by another column.
        var direction: String?
        var arrow: String?
    }

    struct Row: Sendable {
        var path: String
        var email: String
        var name: String
        var groups: String
        var created: Moment
        var lastLogin: Moment?
        var isDisabled: Bool

        init(_ user: Auth.UserRecord) {
            path = user.adminPath
            email = user.person.email
            name = user.person.name
            groups = user.person.groupList
            created = Moment(user.person.created)
            lastLogin = user.lastLogin.map(Moment.init)
            isDisabled = user.isDisabled
        }
    }

    init(_ found: Auth.UserPage, _ view: UserListView, offset: Int, emailField: FormField) {
        search = view.search
        sort = view.sort.rawValue
        order = view.isDescending ? "down" : "up"
        columns = [("E-mail address", .email), ("Name", .name), ("Since", .created), ("Last login", .lastLogin)].map {
            Column($0, $1, in: view)
        }
        hasUsers = !found.users.isEmpty
        users = found.users.map(Row.init)
        pager = Pager(
            "Pages of users", path: view.path, offset: offset, shown: users.count, total: found.total,
            perPage: Self.usersPerPage)
        self.emailField = emailField
    }
}

extension AdminUsersPage.Column {
    fileprivate init(_ name: String, _ sort: Auth.UserOrder, in view: UserListView) {
        let isSorted = view.sort == sort
        self.name = name
        path = String(view.path(sort, isSorted && !view.isDescending).dropLast())
        direction = isSorted ? (view.isDescending ? "descending" : "ascending") : nil
        arrow = isSorted ? (view.isDescending ? "▼" : "▲") : nil
    }
}

extension Auth.Person {
    /// In words, always in the same order.
    var groupList: String { groups.map(\.rawValue).sorted().joined(separator: ", ") }
}

extension Auth.UserRecord {
    /// Where admins find the user.
    var adminPath: String { "/admin/users/\(person.id)" }

    /// As the audit log names somebody.
    var auditName: String { "user \(person.id) \(person.email)" }
}
