import Foundation
import Hummingbird
import SharedProtocol

extension GroupName {
    /// Where admins find the group.
    var adminPath: String { "/admin/groups/" + pathSegment }

    /// As one part of a path.
    var pathSegment: String { rawValue.percentEncoded.replacing("/", with: "%2F") }
}

extension Visit {
    /// The group that the address names.
    func groupName() throws(PageProblem) -> GroupName {
        guard let name = parameters.get("group")?.removingPercentEncoding, name.utf8.count <= BudgetForm.longestName
        else {
            throw .notFound
        }
        return GroupName(name)
    }
}
