import SharedProtocol

/// Names a pool among its holder's: `default`, or the model that it is for.
struct PoolName: Identifier {
    let rawValue: String
    init(rawValue: String) { self.rawValue = rawValue }

    /// Draws for all models without a budget of their own.
    static let general = PoolName("default")
    /// What a group's members share; no model has this name.
    static let shared = PoolName("*")
    /// What a key may spend in its life.
    static let cap = PoolName("cap")

    init(_ model: ModelName) { self.init(model.rawValue) }

    init(_ entry: Ledger.GroupEntry) {
        switch entry {
        case .default: self = .general
        case .model(let model): self.init(model)
        case .shared: self = .shared
        }
    }

    /// What a group's budget for a pool of this name is for.
    var groupEntry: Ledger.GroupEntry {
        switch self {
        case .general: .default
        case .shared: .shared
        default: .model(ModelName(rawValue))
        }
    }
}

/// Whose tokens a pool holds.
enum PoolHolder: Hashable, Sendable {
    case user(UserID)
    case group(GroupName)
    case key(KeyID)

    /// Who is told to have refused.
    var limitedBy: Ledger.LimitedBy {
        switch self {
        case .user: .user
        case .group: .group
        case .key: .key
        }
    }
}

/// Names a pool among all.
struct PoolKey: Hashable, Sendable {
    var holder: PoolHolder
    var name: PoolName

    static func shared(_ group: GroupName) -> PoolKey { PoolKey(holder: .group(group), name: .shared) }
    static func cap(_ key: KeyID) -> PoolKey { PoolKey(holder: .key(key), name: .cap) }
    static func user(_ user: UserID, _ name: PoolName) -> PoolKey { PoolKey(holder: .user(user), name: name) }
}

/// As the database and a stored reservation have it: `user:17`, `group:staff`, `key:5`.
extension PoolHolder: RawRepresentable, Codable {
    var rawValue: String {
        switch self {
        case .user(let id): "user:\(id)"
        case .group(let name): "group:\(name)"
        case .key(let id): "key:\(id)"
        }
    }

    init?(rawValue: String) {
        guard let colon = rawValue.firstIndex(of: ":") else { return nil }
        let name = String(rawValue[rawValue.index(after: colon)...])
        switch rawValue[..<colon] {
        case "group":
            self = .group(GroupName(name))
        case "user":
            guard let id = Int64(name) else { return nil }
            self = .user(UserID(id))
        case "key":
            guard let id = Int64(name) else { return nil }
            self = .key(KeyID(id))
        default:
            return nil
        }
    }
}

extension PoolKey: Codable {}
