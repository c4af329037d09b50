import SharedProtocol

/// Tokens set aside for one live request, and what its bill will need.
struct Reservation: Sendable {
    let owner: InstanceID
    let bill: Bill
    let pool: PoolKey
    /// Taken from the pool's balance; 0 when the pool was unlimited.
    let held: TokenCount
    /// The most that the request may be billed.
    let allowance: TokenCount
    /// What the reserve was answered.
    let grant: Ledger.Grant
    let started: Timestamp
    /// How far the owner said that the request had come.
    var progress: Ledger.Progress?
    /// Its post is being committed; nothing else may end it.
    var isSettling = false

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
struct Bill: Sendable {
    var account: Ledger.Account
    var key: KeyID?
    var source: Ledger.Source
    var model: ModelName
    /// The group whose budget pays; nil when none did.
    var group: GroupName?
    var price: Price
}

/// A model's prices, as they were when the request was reserved.
struct Price: Sendable, Equatable {
    var input: TokenPrice
    var output: TokenPrice

    static let free = Price(input: .free, output: .free)

    func cost(of usage: Ledger.Usage) -> NanoDollars {
        TokenPrice.cost(of: [(usage.prompt, input), (usage.completion, output)])
    }
}
