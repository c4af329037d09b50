/// What admins ask of auth: who there is.
extension Auth {
    /// Users in the order of their e-mail addresses.
    public struct FindUsers: Call {
        public static let method = "auth.find_users"
        public static let isIdempotent = true
        public typealias Reply = [UserRecord]

        /// A part of the address, in any letter case; empty finds everyone. Longer than any address finds nobody.
        public var search: String
        /// Only users after this address; for paging.
        public var after: String?
        /// 1 to 200.
        public var limit: Int

        public init(search: String, after: String?, limit: Int) {
            self.search = search
            self.after = after
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
}

extension Auth {
    /// A user as admins see them.
    public struct UserRecord: Codable, Sendable, Hashable {
        public var person: Person
        public var isDisabled: Bool

        public init(person: Person, isDisabled: Bool) {
            self.person = person
            self.isDisabled = isDisabled
        }
    }

    public struct UserName: Codable, Sendable, Hashable {
        public var user: UserID
        public var email: String

        public init(user: UserID, email: String) {
            self.user = user
            self.email = email
        }
    }
}
