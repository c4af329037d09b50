/// What admins ask of auth about groups. A group's name is its identity, in the file, in budgets and in sums, and stays; what
/// people read is its title. Each change is written to the audit log in the transaction that makes it.
extension Auth {
    /// Every group, in the order of their names, `default` among them.
    public struct ListGroups: Call {
        public static let method = "auth.list_groups"
        public static let isIdempotent = true
        public typealias Reply = [GroupRecord]

        public init() {}
    }

    /// Makes a group of the panel. `refused`: not a name, or taken.
    public struct CreateGroup: Call {
        public static let method = "auth.create_group"
        public static let isIdempotent = false
        public typealias Reply = Done

        /// 1 to 100 bytes of letters, digits, `-`, `_` and `.`, which it does not begin with.
        public var name: GroupName
        /// 1 to 100 characters.
        public var title: String
        public var by: Actor

        public init(name: GroupName, title: String, by: Actor) {
            self.name = name
            self.title = title
            self.by = by
        }
    }

    /// Changes what people read. `not_found`; `refused`: not a title, or the group comes from the file.
    public struct RenameGroup: Call {
        public static let method = "auth.rename_group"
        public static let isIdempotent = true
        public typealias Reply = Done

        public var name: GroupName
        public var title: String
        public var by: Actor

        public init(name: GroupName, title: String, by: Actor) {
            self.name = name
            self.title = title
            self.by = by
        }
    }

    /// A disabled group gives nothing to anyone; its members stay. `not_found`; `refused`: `default`, or the group comes
    /// from the file.
    public struct SetGroupDisabled: Call {
        public static let method = "auth.set_group_disabled"
        public static let isIdempotent = true
        public typealias Reply = Done

        public var name: GroupName
        public var isDisabled: Bool
        public var by: Actor

        public init(name: GroupName, isDisabled: Bool, by: Actor) {
            self.name = name
            self.isDisabled = isDisabled
            self.by = by
        }
    }

    /// One page of a group's members in the order of their addresses. `not_found`. `refused`: `default`, which has everyone.
    public struct ListMembers: Call {
        public static let method = "auth.list_members"
        public static let isIdempotent = true
        public typealias Reply = MemberPage

        public var group: GroupName
        public var offset: Int
        /// 1 to 200.
        public var limit: Int

        public init(group: GroupName, offset: Int = 0, limit: Int) {
            self.group = group
            self.offset = offset
            self.limit = limit
        }
    }

    /// Puts someone into a group by hand, or takes them out; what the group's rules make is not touched. `not_found`: no such
    /// group or user. `refused`: `default`.
    public struct SetMember: Call {
        public static let method = "auth.set_member"
        public static let isIdempotent = true
        public typealias Reply = Done

        public var group: GroupName
        public var user: UserID
        public var isMember: Bool
        public var by: Actor

        public init(group: GroupName, user: UserID, isMember: Bool, by: Actor) {
            self.group = group
            self.user = user
            self.isMember = isMember
            self.by = by
        }
    }
}

extension Auth {
    /// Where a group comes from. The configuration file's groups are changed there.
    public enum GroupOrigin: String, Codable, Sendable, Hashable {
        case file, panel
    }

    public struct GroupRecord: WireValue, Hashable {
        public var name: GroupName
        public var title: String
        public var origin: GroupOrigin
        /// Also when it has just left the file; it is the panel's then.
        public var isDisabled: Bool
        /// Members by hand.
        public var handMembers: Int

        public init(name: GroupName, title: String, origin: GroupOrigin, isDisabled: Bool, handMembers: Int) {
            self.name = name
            self.title = title
            self.origin = origin
            self.isDisabled = isDisabled
            self.handMembers = handMembers
        }
    }

    public struct MemberPage: WireValue, Hashable {
        public var members: [Member]
        /// Of all pages.
        public var total: Int

        public init(members: [Member], total: Int) {
            self.members = members
            self.total = total
        }
    }

    public struct Member: WireValue, Hashable {
        public var user: UserID
        public var email: String
        public var name: String
        public var isByRule: Bool
        public var isByHand: Bool

        public init(user: UserID, email: String, name: String, isByRule: Bool, isByHand: Bool) {
            self.user = user
            self.email = email
            self.name = name
            self.isByRule = isByRule
            self.isByHand = isByHand
        }
    }
}
