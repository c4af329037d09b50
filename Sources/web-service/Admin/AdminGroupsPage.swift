import HTTPTypes
import Hummingbird
import SharedProtocol

extension Site {
    /// Every group, and a form for a new one.
    func adminGroups(_ visit: Visit) async throws -> Response {
        try await adminGroupsPage(visit, name: FormField(), title: FormField())
    }

    func createGroup(_ visit: Visit) async throws -> Response {
        let input = try await visit.form(GroupInput.self)
        var name = FormField(text: input.name)
        var title = FormField(text: input.title)
        let isUntitled = input.title.trimmed.isEmpty
        do throws(CallError) {
            if !isUntitled { _ = try input.title.named("A group's title") }
        } catch {
            title.complaint = error.message
        }
        if title.complaint == nil {
            let call = Auth.CreateGroup(
                name: GroupName(input.name), title: isUntitled ? input.name : input.title, by: visit.actor)
            do throws(CallError) {
                try await authCall(call, for: visit)
                return .redirect(to: AdminNotice.groupCreated.path(after: call.name.adminPath))
            } catch {
                guard error.code == .refused else { throw error }
                name.complaint = error.message
            }
        }
        return try await adminGroupsPage(visit, name: name, title: title, status: .unprocessableContent)
    }

    private func adminGroupsPage(
        _ visit: Visit, name: FormField, title: FormField, status: HTTPResponse.Status = .ok
    ) async throws -> Response {
        let groups = try await authCall(Auth.ListGroups(), for: visit)
        let content = AdminGroupsPage(
            notice: AdminNotice(visit)?.text, groups: groups.map(AdminGroupsPage.Row.init), nameField: name,
            titleField: title)
        return page("admin-groups", title: "Groups", content, for: visit, status: status)
    }
}

private struct GroupInput: Decodable {
    var name: String
    var title: String
}

private struct AdminGroupsPage: Sendable {
    var notice: String?
    var groups: [Row]
    var nameField: FormField
    var titleField: FormField

    struct Row: Sendable {
        var path: String
        var name: String
        var title: String
        var isFromFile: Bool
        var isDisabled: Bool
        /// In words.
        var members: String

        init(_ group: Auth.GroupRecord) {
            path = group.name.adminPath
            name = group.name.rawValue
            title = group.title
            isFromFile = group.origin == .file
            isDisabled = group.isDisabled
            members = group.name == .everyone ? "everyone" : TokenCount(Int64(group.handMembers)).grouped
        }
    }
}
