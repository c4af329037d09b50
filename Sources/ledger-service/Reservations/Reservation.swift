import SharedProtocol

/// Tokens set aside for one live request, and what its bill will need. Coded as it is stored.
struct Reservation: Sendable, Codable {
    let owner: InstanceID
    let bill: Bill
    /// What each pool gave, the personal one first.
    let holds: [Hold]
    /// The most that the request may be billed.
    let allowance: TokenCount
    /// What the reserve was answered.
    let grant: Ledger.Grant
    let started: Timestamp
    /// How far the owner said that the request had come.
    var progress: Ledger.Progress?
    /// Its post is being committed; nothing else may end it.
    var isSettling = false
    /// It has a row, so that its end must remove that.
    var isStored = false
    /// It was reserved by this very process: nothing of it can have been billed before.
    var isFresh = false
    /// It was taken up from its row, and its owner has not named it since.
    var isUnconfirmed = false

    /// How long a request must live before it is worth a row, in milliseconds.
    static let storedAfter: Int64 = 1000

    /// Tokens taken from a pool's balance; 0 when the pool was unlimited.
    struct Hold: Sendable, Codable, Equatable {
        var pool: PoolKey
        var tokens: TokenCount
    }

    private enum CodingKeys: String, CodingKey { case owner, bill, holds, allowance, grant, started }

    init(
        owner: InstanceID, bill: Bill, holds: [Hold], allowance: TokenCount, grant: Ledger.Grant, started: Timestamp,
        progress: Ledger.Progress? = nil
    ) {
        self.owner = owner
        self.bill = bill
        self.holds = holds
        self.allowance = allowance
        self.grant = grant
        self.started = started
        self.progress = progress
    }

    /// The post of a request whose owner is gone, at its last progress; nil when nothing is known to have been used.
    func postOfLost(at now: Timestamp, request: RequestID) -> Ledger.Post? {
        guard let progress, progress.prompt > 0 || progress.completion > 0 else { return nil }
        return Ledger.Post(
            request: request, account: bill.account, key: bill.key, source: bill.source, model: bill.model,
            usage: Ledger.Usage(
                prompt: progress.prompt, completion: progress.completion, isEstimated: true, endpoint: nil,
                started: started, durationMs: Swift.max(0, now.rawValue - started.rawValue), firstTokenMs: nil,
                outcome: .lost))
    }
}

/// Who is billed for what: decided when the request is reserved, and not asked again.
struct Bill: Sendable, Codable {
    var account: Ledger.Account
    var key: KeyID?
    var source: Ledger.Source
    var model: ModelName
    /// The group whose budget pays; nil when none did.
    var group: GroupName?
    var price: Price
}

/// A model's prices, as they were when the request was reserved.
struct Price: Sendable, Equatable, Codable {
    var input: TokenPrice
    var output: TokenPrice

    static let free = Price(input: .free, output: .free)

    func cost(of usage: Ledger.Usage) -> NanoDollars {
        TokenPrice.cost(of: [(usage.prompt, input), (usage.completion, output)])
    }
}
