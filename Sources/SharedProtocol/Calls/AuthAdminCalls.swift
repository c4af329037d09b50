/// What admins ask of auth about users. Each change is written to the audit log in the transaction that makes it.
extension Auth {
    /// One page of users, and how many there are.
    public struct FindUsers: Call {
        public static let method = "auth.find_users"
        public static let isIdempotent = true
        public typealias Reply = UserPage

        /// A part of the address or the name, in any letter case; empty finds everyone. Longer than any finds nobody.
        public var search: String
        public var sort: UserOrder
        public var isDescending: Bool
        /// How many users of this order come before the page.
        public var offset: Int
        /// 1 to 200.
        public var limit: Int

        public init(search: String, sort: UserOrder = .email, isDescending: Bool = false, offset: Int = 0, limit: Int) {
            self.search = search
            self.sort = sort
            self.isDescending = isDescending
            self.offset = offset
            self.limit = limit
        }
    }

    /// One user. `not_found`: there is none with this id.
    public struct GetUser: Call {
        public static let method = "auth.get_user"
        public static let isIdempotent = true
        public typealias Reply = UserRecord

        public var user: UserID

        public init(user: UserID) { self.user = user }
    }

    /// The e-mail addresses of users, in no particular order; ids of nobody are left out. `refused`: too many ids.
    public struct NamesOf: Call {
        public static let method = "auth.names_of"
        public static let isIdempotent = true
        public typealias Reply = [UserName]

        /// At most `most`.
        public var users: [UserID]

        /// How many users one call may name.
        public static let most = 500

        public init(users: [UserID]) { self.users = users }
    }

    /// Makes a user who has not logged in yet; the first login with the address claims it. `refused`: not an address, or
    /// taken.
    public struct CreateUser: Call {
        public static let method = "auth.create_user"
        public static let isIdempotent = false
        public typealias Reply = UserRecord

        public var email: String
        public var by: Actor

        public init(email: String, by: Actor) {
            self.email = email
            self.by = by
        }
    }

    /// Takes a user's access away, or gives it back. Sessions end at once; keys and running streams within a second.
    /// `not_found`: no such user. `refused`: nobody disables themselves.
    public struct SetUserDisabled: Call {
        public static let method = "auth.set_user_disabled"
        public static let isIdempotent = true
        public typealias Reply = Done

        public var user: UserID
        public var isDisabled: Bool
        public var by: Actor

        public init(user: UserID, isDisabled: Bool, by: Actor) {
            self.user = user
            self.isDisabled = isDisabled
            self.by = by
        }
    }

    /// Forgets which identity the user belongs to, and ends their sessions: the next login with their address claims it.
    /// For someone whom their institution has given a new subject. `not_found`: no such user.
    public struct UnlinkUser: Call {
        public static let method = "auth.unlink_user"
        public static let isIdempotent = true
        public typealias Reply = Done

        public var user: UserID
        public var by: Actor

        public init(user: UserID, by: Actor) {
            self.user = user
            self.by = by
        }
    }
}

extension Auth {
    public enum UserOrder: String, Codable, Sendable, Hashable, CaseIterable {
        case email, name, created
        /// Who never logged in comes first.
        case lastLogin = "last_login"
    }

    public struct UserPage: WireValue, Hashable {
        public var users: [UserRecord]
        /// Of all pages.
        public var total: Int

        public init(users: [UserRecord], total: Int) {
            self.users = users
            self.total = total
        }
    }

    /// A user as admins see them.
    public struct UserRecord: WireValue, Hashable {
        /// Its groups are those that count now.
        public var person: Person
        /// Why the person is in which group, groups that are disabled among them; without `default`.
        public var memberships: [Membership]
        /// Who says that it is them; absent before the first login with an identity provider.
        public var identity: Identity?
        public var lastLogin: Timestamp?
        public var isDisabled: Bool

        public init(
            person: Person, memberships: [Membership] = [], identity: Identity? = nil, lastLogin: Timestamp? = nil,
            isDisabled: Bool
        ) {
            self.person = person
            self.memberships = memberships
            self.identity = identity
            self.lastLogin = lastLogin
            self.isDisabled = isDisabled
        }
    }

    /// Whom an identity provider knows: unique and never reused (OpenID Connect Core, section 2).
    public struct Identity: WireValue, Hashable {
        public var issuer: String
        public var subject: String

        public init(issuer: String, subject: String) {
            self.issuer = issuer
            self.subject = subject
        }
    }

    /// Why someone is in a group; both may hold at once.
    public struct Membership: WireValue, Hashable {
        public var group: GroupName
        /// The group's rules match what the identity provider said at the last login.
        public var isByRule: Bool
        /// An admin has put them there.
        public var isByHand: Bool

        public init(group: GroupName, isByRule: Bool, isByHand: Bool) {
            self.group = group
            self.isByRule = isByRule
            self.isByHand = isByHand
        }
    }

    public struct UserName: WireValue, Hashable {
        public var user: UserID
        public var email: String

        public init(user: UserID, email: String) {
            self.user = user
            self.email = email
        }
    }
}
