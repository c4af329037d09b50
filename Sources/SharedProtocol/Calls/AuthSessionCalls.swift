/// What people ask of auth about their own sessions.
extension Auth {
    /// The user's sessions that are alive, the latest used first.
    public struct ListSessions: Call {
        public static let method = "auth.list_sessions"
        public static let isIdempotent = true
        public typealias Reply = [SessionSummary]

        public var user: UserID
        /// The session that asks, to be told from the others.
        public var current: CredentialHash?

        public init(user: UserID, current: CredentialHash?) {
            self.user = user
            self.current = current
        }
    }

    /// Ends one of the user's sessions; one that is not there is no error.
    public struct EndSession: Call {
        public static let method = "auth.end_session"
        public static let isIdempotent = true
        public typealias Reply = Done

        public var user: UserID
        public var session: SessionID

        public init(user: UserID, session: SessionID) {
            self.user = user
            self.session = session
        }
    }

    /// Ends all of the user's sessions but one.
    public struct EndOtherSessions: Call {
        public static let method = "auth.end_other_sessions"
        public static let isIdempotent = true
        public typealias Reply = Done

        public var user: UserID
        public var keeping: CredentialHash

        public init(user: UserID, keeping: CredentialHash) {
            self.user = user
            self.keeping = keeping
        }
    }

    /// Which of those who have something running have lost their access. Asked after each revocation, so that what they
    /// have running ends, too. `refused`: too many at once.
    public struct FindEnded: Call {
        public static let method = "auth.find_ended"
        public static let isIdempotent = true
        public typealias Reply = Ended

        /// At most `most`, like `keys`.
        public var users: [UserID]
        public var keys: [KeyID]

        /// How many users, and how many keys, one call may name.
        public static let most = 1000

        public init(users: [UserID], keys: [KeyID]) {
            self.users = users
            self.keys = keys
        }
    }
}

extension Auth {
    /// Where a login comes from, so that its owner recognises the session. Both are cut to `most` bytes.
    public struct Browser: WireValue, Hashable {
        /// The client's address as text; empty when unknown.
        public var address: String
        /// What `User-Agent` said; empty when it said nothing.
        public var agent: String

        /// Bytes of each.
        public static let most = 200

        public init(address: String, agent: String) {
            self.address = address
            self.agent = agent
        }
    }

    public struct SessionSummary: WireValue, Hashable {
        public var id: SessionID
        public var browser: Browser
        public var opened: Timestamp
        /// To the minute.
        public var seen: Timestamp
        public var isCurrent: Bool

        public init(id: SessionID, browser: Browser, opened: Timestamp, seen: Timestamp, isCurrent: Bool) {
            self.id = id
            self.browser = browser
            self.opened = opened
            self.seen = seen
            self.isCurrent = isCurrent
        }
    }

    public struct Ended: WireValue, Hashable {
        /// Disabled, or not there.
        public var users: [UserID]
        /// Revoked, expired, or not there.
        public var keys: [KeyID]
        /// The revocation revision that this was read at.
        public var revision: Int64

        public init(users: [UserID], keys: [KeyID], revision: Int64) {
            self.users = users
            self.keys = keys
            self.revision = revision
        }
    }
}
