import SharedProtocol

/// Names a pool within a user's pools: `default`, or the model that it is for.
struct PoolName: Identifier {
    let rawValue: String
    init(rawValue: String) { self.rawValue = rawValue }

    /// Shared by all models without a budget of their own.
    static let shared = PoolName("default")

    init(_ model: ModelName) { self.init(model.rawValue) }
}

/// Names a pool among all.
struct PoolKey: Hashable, Sendable {
    var user: UserID
    var name: PoolName
}
