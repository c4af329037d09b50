/// What auth-service answers: who someone is. Errors are `CallError`s with the codes named at each call.
public enum Auth {
    /// Who presents this API key. `unauthenticated`: unknown, revoked or expired. `account_disabled`.
    public struct Authenticate: Call {
        public static let method = "auth.authenticate"
        public static let isIdempotent = true
        public typealias Reply = KeyHolder

        public var key: CredentialHash

        public init(key: CredentialHash) { self.key = key }
    }

    /// Whose browser session this is; extends it. `unauthenticated`: unknown, ended or expired. `account_disabled`.
    public struct ResumeSession: Call {
        public static let method = "auth.resume_session"
        public static let isIdempotent = true
        public typealias Reply = SessionHolder

        public var session: CredentialHash

        public init(session: CredentialHash) { self.session = session }
    }

    /// Logs in as `app.dev_user` and opens a session. `refused` unless the configuration has one. `account_disabled`.
    public struct DevLogin: Call {
        public static let method = "auth.dev_login"
        public static let isIdempotent = false
        public typealias Reply = OpenedSession

        public var browser: Browser

        public init(browser: Browser = Browser(address: "", agent: "")) { self.browser = browser }
    }

    /// Ends a session; one that is not there is no error.
    public struct CloseSession: Call {
        public static let method = "auth.close_session"
        public static let isIdempotent = true
        public typealias Reply = Done

        public var session: CredentialHash

        public init(session: CredentialHash) { self.session = session }
    }

    /// Makes an API key. `refused`: empty or over-long name, too many keys, an expiry in the past, an empty or over-long
    /// list of models. `not_found`: no such user.
    public struct CreateKey: Call {
        public static let method = "auth.create_key"
        public static let isIdempotent = false
        public typealias Reply = NewKey

        public var owner: KeyOwner
        /// 1 to 100 characters, for the owner's eyes.
        public var name: String
        /// All that the key may spend in its life: 1 to `Budget.mostTokens`; absent: what its owner may.
        public var cap: TokenCount?
        /// From this moment on the key is refused; absent: it never expires.
        public var expires: Timestamp?
        /// The only models that the key may use, 1 to `mostModels`; absent: those that its owner may.
        public var models: [ModelName]?

        /// How many models a key's list may name.
        public static let mostModels = 100

        public init(
            owner: KeyOwner, name: String, cap: TokenCount? = nil, expires: Timestamp? = nil, models: [ModelName]? = nil
        ) {
            self.owner = owner
            self.name = name
            self.cap = cap
            self.expires = expires
            self.models = models
        }
    }

    /// The user's keys that are not revoked, newest first; expired ones are among them.
    public struct ListKeys: Call {
        public static let method = "auth.list_keys"
        public static let isIdempotent = true
        public typealias Reply = [KeySummary]

        public var user: UserID

        public init(user: UserID) { self.user = user }
    }

    /// Revokes a key of this user at once. `not_found`: not a key of theirs. Revoking again is no error.
    public struct RevokeKey: Call {
        public static let method = "auth.revoke_key"
        public static let isIdempotent = true
        public typealias Reply = Done

        public var user: UserID
        public var key: KeyID
        /// The admin who revokes somebody else's key; absent: its owner does.
        public var by: Actor?

        public init(user: UserID, key: KeyID, by: Actor? = nil) {
            self.user = user
            self.key = key
            self.by = by
        }
    }

    /// The current revocation revision as `{"revision":N}` events: at once, at each change, and every 300 ms.
    public struct FollowRevocations: StreamingCall {
        public static let method = "auth.follow_revocations"
        public typealias Reply = Done

        public init() {}
    }
}

extension Auth {
    /// Counts the changes that can take access away. What was read at an older revision must be read again.
    public struct Revision: WireValue, Hashable {
        public var revision: Int64
        public init(revision: Int64) { self.revision = revision }
    }

    /// A person and what their membership rests on.
    public struct Person: WireValue, Hashable {
        public var id: UserID
        public var email: String
        public var name: String
        /// Always contains `default`; in no particular order.
        public var groups: [GroupName]
        /// When the user row came to be; a pool's clock starts no earlier.
        public var created: Timestamp

        public init(id: UserID, email: String, name: String, groups: [GroupName], created: Timestamp) {
            self.id = id
            self.email = email
            self.name = name
            self.groups = groups
            self.created = created
        }
    }

    public struct KeyHolder: WireValue, Hashable {
        public var person: Person
        public var key: KeyID
        /// All that the key may spend in its life.
        public var cap: TokenCount?
        /// From this moment on nothing is served under the key, also from what is remembered of it.
        public var expires: Timestamp?
        /// The only models that the key may use.
        public var models: [ModelName]?
        /// The revocation revision that this was read at.
        public var revision: Int64

        public init(
            person: Person, key: KeyID, cap: TokenCount? = nil, expires: Timestamp? = nil, models: [ModelName]? = nil,
            revision: Int64
        ) {
            self.person = person
            self.key = key
            self.cap = cap
            self.expires = expires
            self.models = models
            self.revision = revision
        }
    }

    public struct SessionHolder: WireValue, Hashable {
        public var person: Person
        /// The revocation revision that this was read at.
        public var revision: Int64

        public init(person: Person, revision: Int64) {
            self.person = person
            self.revision = revision
        }
    }

    public struct OpenedSession: WireValue, Hashable {
        /// The cookie's value; stored nowhere in this form.
        public var secret: String
        public var person: Person

        public init(secret: String, person: Person) {
            self.secret = secret
            self.person = person
        }
    }

    /// Whose key is made.
    public enum KeyOwner: WireValue, Hashable {
        case user(UserID)
        /// Creates the user when there is none with this address; it is then claimed by the first login with it.
        case email(String)
    }

    public struct NewKey: WireValue, Hashable {
        /// `sk-lumen-…`, shown once; stored nowhere in this form.
        public var secret: String
        public var summary: KeySummary

        public init(secret: String, summary: KeySummary) {
            self.secret = secret
            self.summary = summary
        }
    }

    public struct KeySummary: WireValue, Hashable {
        public var id: KeyID
        public var name: String
        /// The first and last characters, enough to tell one's keys apart: `sk-lumen-Ab…yZ`.
        public var hint: String
        public var cap: TokenCount?
        public var expires: Timestamp?
        public var models: [ModelName]?
        public var created: Timestamp
        /// To the minute; absent before the first use.
        public var lastUsed: Timestamp?

        public init(
            id: KeyID, name: String, hint: String, cap: TokenCount? = nil, expires: Timestamp? = nil,
            models: [ModelName]? = nil, created: Timestamp, lastUsed: Timestamp?
        ) {
            self.id = id
            self.name = name
            self.hint = hint
            self.cap = cap
            self.expires = expires
            self.models = models
            self.created = created
            self.lastUsed = lastUsed
        }
    }
}
