/// What a page says about the change that led to it. A word in the address, so that loading the page again repeats nothing.
enum AdminNotice: String, Sendable {
    case budgetSet = "budget-set"
    case budgetRemoved = "budget-removed"
    case reset
    case nothingToReset = "nothing-to-reset"
    case userCreated = "user-created"
    case userDisabled = "user-disabled"
    case userEnabled = "user-enabled"
    case userUnlinked = "user-unlinked"
    case keyRevoked = "key-revoked"
    case groupCreated = "group-created"
    case groupRenamed = "group-renamed"
    case groupDisabled = "group-disabled"
    case groupEnabled = "group-enabled"
    case memberAdded = "member-added"
    case memberRemoved = "member-removed"

    init?(_ visit: Visit) {
        guard let notice = visit.query("done").flatMap(AdminNotice.init(rawValue:)) else { return nil }
        self = notice
    }

    var text: String {
        switch self {
        case .budgetSet: "The budget is set."
        case .budgetRemoved: "The budget is removed. The groups’ budgets hold again."
        case .reset: "The pool is reset."
        case .nothingToReset: "There was nothing to reset: nobody has used tokens of that pool yet."
        case .userCreated: "The user is made. The first login with this address claims it."
        case .userDisabled: "The user is disabled: whatever they had running ends within a second."
        case .userEnabled: "The user is enabled again. They have to log in anew."
        case .userUnlinked: "The identity is unlinked. The next login with this address claims the user."
        case .keyRevoked: "The key is revoked."
        case .groupCreated: "The group is made."
        case .groupRenamed: "The title is changed."
        case .groupDisabled: "The group is disabled: it gives nothing to anyone."
        case .groupEnabled: "The group is enabled again."
        case .memberAdded: "They are a member now."
        case .memberRemoved: "They are no longer a member by hand."
        }
    }

    func path(after page: String) -> String { "\(page)?done=\(rawValue)" }
}
