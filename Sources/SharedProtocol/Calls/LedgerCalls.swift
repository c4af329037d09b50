/// What ledger-service answers: token budgets in two phases, as TigerBeetle's pending transfers. *Reserve* the most that a
/// request can cost, then *post* what it did cost or *void* it. The request id makes every step idempotent.
public enum Ledger {
    /// Reserves the most that a request can cost; waits up to 2 s for tokens that only other live requests hold.
    public struct Reserve: Call {
        public static let method = "ledger.reserve"
        public static let isIdempotent = true
        public typealias Reply = Decision

        public var request: RequestID
        /// The web instance that will post or void; its lease is renewed by this call too.
        public var owner: InstanceID
        public var account: Account
        public var key: KeyID?
        /// All that the key may ever spend; absent when it has no cap of its own.
        public var keyCap: TokenCount?
        public var source: Source
        public var model: ModelName
        /// The most that the prompt can cost.
        public var promptBound: TokenCount
        /// How many outputs may each reach `outputLimit` (`n`); 0 for embeddings.
        public var outputs: Int64
        /// The most tokens of one output.
        public var outputLimit: TokenCount

        public init(
            request: RequestID, owner: InstanceID, account: Account, key: KeyID?, keyCap: TokenCount? = nil,
            source: Source, model: ModelName, promptBound: TokenCount, outputs: Int64, outputLimit: TokenCount
        ) {
            self.request = request
            self.owner = owner
            self.account = account
            self.key = key
            self.keyCap = keyCap
            self.source = source
            self.model = model
            self.promptBound = promptBound
            self.outputs = outputs
            self.outputLimit = outputLimit
        }
    }

    /// Bills what a request used. Durable before it is answered. Without its reservation (the ledger restarted, the
    /// owner's lease ran out) the debit applies as far as the balance goes and the rest is written off. What was billed as
    /// lost is corrected once: what was used beyond it in the same way, what was not used is given back.
    public struct Post: Call {
        public static let method = "ledger.post"
        public static let isIdempotent = true
        public typealias Reply = Receipt

        public var request: RequestID
        public var account: Account
        public var key: KeyID?
        public var keyCap: TokenCount?
        public var source: Source
        public var model: ModelName
        public var usage: Usage

        public init(
            request: RequestID, account: Account, key: KeyID?, keyCap: TokenCount? = nil, source: Source,
            model: ModelName, usage: Usage
        ) {
            self.request = request
            self.account = account
            self.key = key
            self.keyCap = keyCap
            self.source = source
            self.model = model
            self.usage = usage
        }
    }

    /// Gives a reservation back whole. A request that is unknown is remembered, so that a reserve that arrives later
    /// is refused.
    public struct Void: Call {
        public static let method = "ledger.void"
        public static let isIdempotent = true
        public typealias Reply = Done

        public var request: RequestID

        public init(request: RequestID) { self.request = request }
    }

    /// All that an owner has reserved, said again first thing on each connection: a ledger that was restarted takes it up,
    /// and gives back what it remembers of this owner and does not hear. After a start, new reserves wait until every
    /// owner that is known to have lived has spoken, or for 5 s.
    public struct Assert: Call {
        public static let method = "ledger.assert"
        public static let isIdempotent = true
        public typealias Reply = Done

        public var owner: InstanceID
        public var reservations: [Assertion]

        public init(owner: InstanceID, reservations: [Assertion]) {
            self.owner = owner
            self.reservations = reservations
        }
    }

    /// Keeps an owner's reservations alive (lease 15 s) and reports how far its streams have come.
    public struct Renew: Call {
        public static let method = "ledger.renew"
        public static let isIdempotent = true
        public typealias Reply = Done

        public var owner: InstanceID
        public var progress: [Progress]
        /// The owner ends, and will say nothing more: what it still holds is treated as a dead one's.
        public var isLeaving: Bool?

        public init(owner: InstanceID, progress: [Progress], isLeaving: Bool? = nil) {
            self.owner = owner
            self.progress = progress
            self.isLeaving = isLeaving
        }
    }

    /// The account's pools, also those that do not exist yet, and which models it may use. Creates nothing.
    public struct Balances: Call {
        public static let method = "ledger.balances"
        public static let isIdempotent = true
        public typealias Reply = BalanceSheet

        public var account: Account

        public init(account: Account) { self.account = account }
    }

    /// A user's usage events, newest first.
    public struct Events: Call {
        public static let method = "ledger.events"
        public static let isIdempotent = true
        public typealias Reply = [UsageEvent]

        public var user: UserID
        /// Only events older than this id; for paging.
        public var before: Int64?
        /// 1 to 200.
        public var limit: Int
        /// Only events that were billed in it, in whose sums they are; absent: all.
        public var month: Month?

        public init(user: UserID, before: Int64?, limit: Int, month: Month? = nil) {
            self.user = user
            self.before = before
            self.limit = limit
            self.month = month
        }
    }
}
