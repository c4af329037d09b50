/// What admins ask of the ledger: budgets, resets, and what everyone used.
extension Ledger {
    /// Gives a user a budget of their own for a pool, before every group's, or takes it away. Durable before it is answered.
    public struct SetOverride: Call {
        public static let method = "ledger.set_override"
        public static let isIdempotent = true
        public typealias Reply = Done

        public var user: UserID
        /// `default`, or a model.
        public var pool: String
        /// Absent: the groups' budgets hold again.
        public var budget: Budget?

        public init(user: UserID, pool: String, budget: Budget?) {
            self.user = user
            self.pool = pool
            self.budget = budget
        }
    }

    /// The budgets that a user has been given of their own.
    public struct Overrides: Call {
        public static let method = "ledger.overrides"
        public static let isIdempotent = true
        public typealias Reply = [Override]

        public var user: UserID

        public init(user: UserID) { self.user = user }
    }

    /// Sets a user's pool, or a group's shared one, to min(`starting`, `max` − reserved). Durable before it is answered.
    /// `not_found`: nobody has drawn from the pool yet, or the account has no access.
    public struct Reset: Call {
        public static let method = "ledger.reset"
        public static let isIdempotent = true
        public typealias Reply = Done

        public var target: Target

        public init(target: Target) { self.target = target }

        public enum Target: WireValue, Hashable {
            /// The account's pool for all models without one of their own (`default`), or for a model.
            case user(Account, pool: String)
            case group(GroupName)
        }
    }

    /// Gives a group that admins made a budget, or takes it away. Durable before it is answered. What a pool holds beyond a
    /// lower maximum goes at once; a higher one adds nothing. `refused`: the configuration file names the group.
    /// `invalid_params`: not a budget, a group's name or a model's.
    public struct SetGroupBudget: Call {
        public static let method = "ledger.set_group_budget"
        public static let isIdempotent = true
        public typealias Reply = Done

        public var group: GroupName
        public var entry: GroupEntry
        /// Absent: the group gives none.
        public var budget: Budget?

        public init(group: GroupName, entry: GroupEntry, budget: Budget?) {
            self.group = group
            self.entry = entry
            self.budget = budget
        }
    }

    /// The budgets of every group of the configuration file, and of every other one that has been given any.
    public struct GroupBudgets: Call {
        public static let method = "ledger.group_budgets"
        public static let isIdempotent = true
        public typealias Reply = [GroupBudget]

        public init() {}
    }

    /// Sums of usage: of one user, or of everyone; of one month, or since the beginning. Computed from running sums.
    public struct Report: Call {
        public static let method = "ledger.report"
        public static let isIdempotent = true
        public typealias Reply = UsageReport

        /// Absent: everyone.
        public var user: UserID?
        /// Absent: all months.
        public var month: Month?
        /// How many users' sums are told at most, 0 to 10,000; those who used most come first.
        public var users: Int

        public init(user: UserID?, month: Month?, users: Int = 100) {
            self.user = user
            self.month = month
            self.users = users
        }
    }

    /// Compares the running sums with the events that they were made of, and the pools with their entries.
    public struct Verify: Call {
        public static let method = "ledger.verify"
        public static let isIdempotent = true
        public typealias Reply = Verification

        public init() {}
    }
}

extension Ledger {
    public struct Override: WireValue, Hashable {
        public var pool: String
        public var budget: Budget

        public init(pool: String, budget: Budget) {
            self.pool = pool
            self.budget = budget
        }
    }

    /// What a group has a budget for.
    public enum GroupEntry: WireValue, Hashable {
        /// Each member's pool for all models without one of their own.
        case `default`
        /// Each member's pool for a model.
        case model(ModelName)
        /// The pool that all members draw from, beside their own.
        case shared
    }

    public struct GroupBudget: WireValue, Hashable {
        public var group: GroupName
        /// By the configuration file; of a group that admins made, auth knows.
        public var isDisabled: Bool
        /// `default` and models, by name.
        public var budgets: [Override]
        /// What the members share, as it is now; absent when they share nothing.
        public var shared: Pool?
        /// The configuration file names the group, so that its budgets are changed there only. Absent from a ledger that
        /// knows no others.
        public var isLocked: Bool?
        /// The budget of what they share.
        public var sharedBudget: Budget?

        public init(
            group: GroupName, isDisabled: Bool, budgets: [Override], shared: Pool?, isLocked: Bool? = nil,
            sharedBudget: Budget? = nil
        ) {
            self.group = group
            self.isDisabled = isDisabled
            self.isLocked = isLocked
            self.budgets = budgets
            self.shared = shared
            self.sharedBudget = sharedBudget
        }
    }

    public struct UsageSum: WireValue, Hashable {
        public var requests: Int64
        public var prompt: TokenCount
        public var completion: TokenCount
        public var billed: TokenCount
        public var writtenOff: TokenCount
        public var cost: NanoDollars

        public init(
            requests: Int64 = 0, prompt: TokenCount = 0, completion: TokenCount = 0, billed: TokenCount = 0,
            writtenOff: TokenCount = 0, cost: NanoDollars = 0
        ) {
            self.requests = requests
            self.prompt = prompt
            self.completion = completion
            self.billed = billed
            self.writtenOff = writtenOff
            self.cost = cost
        }
    }

    /// One line of a report: what it is about (a day as `2026-11-24`, a model, a group, a key's id, a source, a user's id).
    public struct UsageLine: WireValue, Hashable {
        public var name: String
        public var sum: UsageSum

        public init(name: String, sum: UsageSum) {
            self.name = name
            self.sum = sum
        }
    }

    public struct UsageReport: WireValue, Hashable {
        public var total: UsageSum
        /// Oldest first; at most the last 400 days.
        public var days: [UsageLine]
        /// Most tokens first, as in all that follow.
        public var models: [UsageLine]
        public var groups: [UsageLine]
        public var sources: [UsageLine]
        /// Of one user only; the name is empty for the browser's chat.
        public var keys: [UsageLine]
        /// Of everyone only.
        public var users: [UsageLine]
        /// Since when there is usage at all, whatever the month that was asked for; absent when there is none.
        public var firstMonth: Month?

        public init(
            total: UsageSum, days: [UsageLine], models: [UsageLine], groups: [UsageLine], sources: [UsageLine],
            keys: [UsageLine], users: [UsageLine], firstMonth: Month? = nil
        ) {
            self.total = total
            self.days = days
            self.models = models
            self.groups = groups
            self.sources = sources
            self.keys = keys
            self.users = users
            self.firstMonth = firstMonth
        }
    }

    public struct Verification: WireValue, Hashable {
        public var events: Int64
        public var entries: Int64
        public var pools: Int64
        /// A sentence for each thing that does not add up; none is what should be. At most 100.
        public var faults: [String]

        public init(events: Int64, entries: Int64, pools: Int64, faults: [String]) {
            self.events = events
            self.entries = entries
            self.pools = pools
            self.faults = faults
        }
    }
}
