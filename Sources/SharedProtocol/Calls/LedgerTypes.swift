/// What the ledger's calls are about: who pays, how a reserve is decided, what was used.
extension Ledger {
    /// Who pays, and what the resolver needs to find the pool.
    public struct Account: WireValue, Hashable {
        public var user: UserID
        public var groups: [GroupName]
        /// When the user came to be.
        public var created: Timestamp

        public init(user: UserID, groups: [GroupName], created: Timestamp) {
            self.user = user
            self.groups = groups
            self.created = created
        }

        public init(_ person: Auth.Person) {
            self.init(user: person.id, groups: person.groups, created: person.created)
        }
    }

    /// Where a request came from.
    public struct Source: Identifier {
        public let rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }

        public static let chat = Source("chat")
        public static let api = Source("api")
    }

    /// Which limit refused a request or lowered its output.
    public struct LimitedBy: Identifier {
        public let rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }

        public static let user = LimitedBy("user")
        public static let group = LimitedBy("group")
        public static let key = LimitedBy("key")
    }

    /// A live reservation, as its owner knows it.
    public struct Assertion: WireValue {
        public var reserve: Reserve
        public var grant: Grant
        public var progress: Progress

        public init(reserve: Reserve, grant: Grant, progress: Progress) {
            self.reserve = reserve
            self.grant = grant
            self.progress = progress
        }
    }

    public enum Decision: WireValue, Hashable {
        case granted(Grant)
        case refused(Refusal)
    }

    public struct Grant: WireValue, Hashable {
        public var reserved: TokenCount
        /// The limit to send upstream for each output: the one asked for, or lowered to what was left.
        public var outputLimit: TokenCount
        /// Present when the limit was lowered.
        public var limitedBy: LimitedBy?

        public init(reserved: TokenCount, outputLimit: TokenCount, limitedBy: LimitedBy? = nil) {
            self.reserved = reserved
            self.outputLimit = outputLimit
            self.limitedBy = limitedBy
        }
    }

    public struct Refusal: WireValue, Hashable {
        public var reason: Reason
        public var limitedBy: LimitedBy
        /// What the pool still holds.
        public var remaining: TokenCount
        /// When enough will have accrued, in milliseconds; absent when it never will.
        public var retryAfterMs: Int64?
        /// The least that the request must be able to spend.
        public var needed: TokenCount?
        /// The most that the pool ever holds.
        public var max: TokenCount?

        public init(
            reason: Reason, limitedBy: LimitedBy, remaining: TokenCount, retryAfterMs: Int64?,
            needed: TokenCount? = nil, max: TokenCount? = nil
        ) {
            self.reason = reason
            self.limitedBy = limitedBy
            self.remaining = remaining
            self.retryAfterMs = retryAfterMs
            self.needed = needed
            self.max = max
        }

        public struct Reason: Identifier {
            public let rawValue: String
            public init(rawValue: String) { self.rawValue = rawValue }

            /// No budget entry gives this account the model.
            public static let noAccess = Reason("no_access")
            /// The pool does not hold enough.
            public static let insufficient = Reason("insufficient")
        }
    }

    /// What a request used, as far as it is known.
    public struct Usage: WireValue, Hashable {
        public var prompt: TokenCount
        public var completion: TokenCount
        /// The backend reported nothing; the counts are our estimate.
        public var isEstimated: Bool
        /// The endpoint's display name; absent when none was reached.
        public var endpoint: String?
        public var started: Timestamp
        public var durationMs: Int64
        /// From the request's arrival to the first event; absent when none came.
        public var firstTokenMs: Int64?
        public var outcome: Outcome

        public init(
            prompt: TokenCount, completion: TokenCount, isEstimated: Bool, endpoint: String?, started: Timestamp,
            durationMs: Int64, firstTokenMs: Int64?, outcome: Outcome
        ) {
            self.prompt = prompt
            self.completion = completion
            self.isEstimated = isEstimated
            self.endpoint = endpoint
            self.started = started
            self.durationMs = durationMs
            self.firstTokenMs = firstTokenMs
            self.outcome = outcome
        }
    }

    /// How a billed request ended.
    public struct Outcome: Identifier {
        public let rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }

        public static let completed = Outcome("completed")
        /// The client left, or pressed Stop.
        public static let cancelled = Outcome("cancelled")
        /// The backend, the router or a time limit ended it after something had been produced.
        public static let failed = Outcome("failed")
        /// Its web instance died; billed at the last progress that it reported.
        public static let lost = Outcome("lost")
    }

    public struct Receipt: WireValue, Hashable {
        public var billed: TokenCount
        /// Used beyond the reservation or, where there was none any more, beyond the balance: not paid by anyone.
        public var writtenOff: TokenCount
        public var cost: NanoDollars

        public init(billed: TokenCount, writtenOff: TokenCount, cost: NanoDollars) {
            self.billed = billed
            self.writtenOff = writtenOff
            self.cost = cost
        }
    }

    /// How far a running request has come.
    public struct Progress: WireValue, Hashable {
        public var request: RequestID
        public var prompt: TokenCount
        public var completion: TokenCount

        public init(request: RequestID, prompt: TokenCount, completion: TokenCount) {
            self.request = request
            self.prompt = prompt
            self.completion = completion
        }
    }

    public struct BalanceSheet: WireValue, Hashable {
        public var pools: [Pool]
        /// Active models that the account may use, in the configuration's order.
        public var models: [ModelAccess]

        public init(pools: [Pool], models: [ModelAccess]) {
            self.pools = pools
            self.models = models
        }
    }

    public struct ModelAccess: WireValue, Hashable {
        public var model: ModelName
        /// The name of the pool that the model draws from.
        public var pool: String

        public init(model: ModelName, pool: String) {
            self.model = model
            self.pool = pool
        }
    }

    public struct Pool: WireValue, Hashable {
        /// Whose tokens these are: `user`, or `group` for a pool that all members of a group share.
        public var holder: LimitedBy
        /// `default`, or the model that the pool is for; of a shared pool, the group.
        public var name: String
        /// Absent for an unlimited pool.
        public var balance: TokenCount?
        public var reserved: TokenCount
        /// Absent for an unlimited pool.
        public var max: TokenCount?
        /// Tokens added per hour.
        public var refresh: TokenCount
        /// The group whose entry was chosen; absent for an override of the user's own.
        public var group: GroupName?

        public init(
            holder: LimitedBy = .user, name: String, balance: TokenCount?, reserved: TokenCount, max: TokenCount?,
            refresh: TokenCount, group: GroupName?
        ) {
            self.holder = holder
            self.name = name
            self.balance = balance
            self.reserved = reserved
            self.max = max
            self.refresh = refresh
            self.group = group
        }
    }

    public struct UsageEvent: WireValue, Hashable {
        /// Grows with time; for paging.
        public var id: Int64
        public var request: RequestID
        public var key: KeyID?
        public var source: Source
        public var model: ModelName
        public var usage: Usage
        public var billed: TokenCount
        public var writtenOff: TokenCount
        public var cost: NanoDollars

        public init(
            id: Int64, request: RequestID, key: KeyID?, source: Source, model: ModelName, usage: Usage,
            billed: TokenCount, writtenOff: TokenCount, cost: NanoDollars
        ) {
            self.id = id
            self.request = request
            self.key = key
            self.source = source
            self.model = model
            self.usage = usage
            self.billed = billed
            self.writtenOff = writtenOff
            self.cost = cost
        }
    }
}
