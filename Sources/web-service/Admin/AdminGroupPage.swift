import HTTPTypes
import Hummingbird
import SharedProtocol

extension Site {
    /// One group: what it is called, what it gives, and to whom.
    func adminGroup(_ visit: Visit) async throws -> Response {
        try await adminGroupPage(group(visit), visit)
    }

    func renameGroup(_ visit: Visit) async throws -> Response {
        let title = try await visit.form(TitleInput.self).title
        let group = try await group(visit)
        do throws(CallError) {
            try await authCall(Auth.RenameGroup(name: group.name, title: title, by: visit.actor), for: visit)
        } catch {
            guard error.code == .refused else { throw error }
            return try await adminGroupPage(
                group, visit, title: FormField(text: title, complaint: error.message), status: .unprocessableContent)
        }
        return .redirect(to: AdminNotice.groupRenamed.path(after: group.name.adminPath))
    }

    func disableGroup(_ visit: Visit) async throws -> Response {
        try await setGroup(disabled: true, .groupDisabled, visit)
    }

    func enableGroup(_ visit: Visit) async throws -> Response {
        try await setGroup(disabled: false, .groupEnabled, visit)
    }

    private func setGroup(disabled: Bool, _ notice: AdminNotice, _ visit: Visit) async throws -> Response {
        let name = try visit.groupName()
        try await authCall(Auth.SetGroupDisabled(name: name, isDisabled: disabled, by: visit.actor), for: visit)
        return .redirect(to: notice.path(after: name.adminPath))
    }

    /// Puts somebody into the group by hand, whom the form names by e-mail address.
    func addMember(_ visit: Visit) async throws -> Response {
        let typed = try await visit.form(EmailInput.self).email
        let group = try await group(visit)
        let user: Auth.UserRecord
        do throws(CallError) {
            user = try await authCall(Auth.FindUser(email: typed.filter { !$0.isWhitespace }), for: visit)
        } catch {
            guard error.code == .notFound else { throw error }
            let complaint = "There is no user with this address yet. They can be created on the page of users."
            return try await adminGroupPage(
                group, visit, email: FormField(text: typed, complaint: complaint), status: .unprocessableContent)
        }
        try await authCall(
            Auth.SetMember(group: group.name, user: user.person.id, isMember: true, by: visit.actor), for: visit)
        return .redirect(to: AdminNotice.memberAdded.path(after: group.name.adminPath))
    }

    func removeMember(_ visit: Visit) async throws -> Response {
        let name = try visit.groupName()
        try await authCall(
            Auth.SetMember(group: name, user: visit.userID(), isMember: false, by: visit.actor), for: visit)
        return .redirect(to: AdminNotice.memberRemoved.path(after: name.adminPath))
    }

    /// The group that the address names. There are few enough to ask for all.
    func group(_ visit: Visit) async throws -> Auth.GroupRecord {
        let name = try visit.groupName()
        let groups = try await authCall(Auth.ListGroups(), for: visit)
        guard let group = groups.first(where: { $0.name == name }) else { throw PageProblem.notFound }
        return group
    }

    /// - Parameters:
    ///   - title: what was typed; nil for a fresh form.
    ///   - email: likewise, of a new member.
    ///   - budget: likewise.
    func adminGroupPage(
        _ group: Auth.GroupRecord, _ visit: Visit, title: FormField? = nil, email: FormField? = nil,
        budget: BudgetForm? = nil, status: HTTPResponse.Status = .ok
    ) async throws -> Response {
        async let budgets = try? ledger.call(Ledger.GroupBudgets(), request: visit.id, timeout: Self.callTimeout)
        var members: MemberList?
        if group.name != .everyone {
            let call = Auth.ListMembers(group: group.name, offset: visit.offset, limit: MemberList.membersPerPage)
            members = MemberList(try await authCall(call, for: visit), of: group.name, offset: call.offset)
        }
        let part = GroupBudgetsPart(
            await budgets, of: group, form: budget, editing: visit.query("pool"), pools: groupPoolNames())
        let content = AdminGroupPage(
            group, notice: AdminNotice(visit)?.text, budgets: part,
            members: members, titleField: title ?? FormField(text: group.title), emailField: email ?? FormField())
        return page("admin-group", title: group.title, content, for: visit, status: status)
    }
}

private struct TitleInput: Decodable {
    var title: String
}

private struct AdminGroupPage: Sendable {
    var path: String
    var name: String
    var title: String
    var isFromFile: Bool
    var isEveryone: Bool
    var isDisabled: Bool
    var notice: String?
    var budgets: GroupBudgetsPart
    /// Absent for the group that everyone is in.
    var members: MemberList?
    var titleField: FormField
    var emailField: FormField

    init(
        _ group: Auth.GroupRecord, notice: String?, budgets: GroupBudgetsPart, members: MemberList?,
        titleField: FormField, emailField: FormField
    ) {
        path = group.name.adminPath
        name = group.name.rawValue
        title = group.title
        isFromFile = group.origin == .file
        isEveryone = group.name == .everyone
        isDisabled = group.isDisabled
        self.notice = notice
        self.budgets = budgets
        self.members = members
        self.titleField = titleField
        self.emailField = emailField
    }
}

/// One page of a group's members.
private struct MemberList: Sendable {
    static let membersPerPage = 50

    var hasMembers: Bool
    var members: [Row]
    var pager: Pager

    struct Row: Sendable {
        var id: Int64
        var email: String
        var personName: String
        var isByRule: Bool
        var isByHand: Bool
    }

    init(_ page: Auth.MemberPage, of group: GroupName, offset: Int) {
        hasMembers = !page.members.isEmpty
        members = page.members.map {
            Row(
                id: $0.user.rawValue, email: $0.email, personName: $0.name, isByRule: $0.isByRule,
                isByHand: $0.isByHand)
        }
        pager = Pager(
            "Pages of members", path: group.adminPath + "?", offset: offset, shown: members.count, total: page.total,
            perPage: Self.membersPerPage)
    }
}
