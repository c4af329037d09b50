import NIOCore
import SharedProtocol
import Storage

/// What a key may do and for how long; never more than its owner.
struct KeyTerms: Sendable, Hashable {
    var cap: TokenCount?
    var expires: Timestamp?
    var models: [ModelName]?

    /// Bytes of a model's name.
    private static let longestName = 200

    /// Throws `refused` for terms that are none.
    init(_ call: Auth.CreateKey, at now: Timestamp) throws(CallError) {
        if let cap = call.cap, !(1...Budget.mostTokens ~= cap) {
            throw CallError(.refused, "A key's cap is between 1 and \(Budget.mostTokens) tokens.")
        }
        if let expires = call.expires, expires <= now {
            throw CallError(.refused, "The key would have expired already.")
        }
        if let models = call.models {
            guard 1...Auth.CreateKey.mostModels ~= models.count,
                models.allSatisfy({ 1...Self.longestName ~= $0.rawValue.utf8.count })
            else {
                throw CallError(.refused, "A key's list names 1 to \(Auth.CreateKey.mostModels) models.")
            }
        }
        (cap, expires, models) = (call.cap, call.expires, call.models)
    }

    /// The columns that `init(_:)` reads, and those of `values`.
    static let columns = "cap, expires, models"

    /// Throws for a list of models that cannot be read: a key is never worth more than its list.
    init(_ row: SQLRow) throws(CallError) {
        cap = (row["cap"] as Int64?).map { TokenCount($0) }
        expires = (row["expires"] as Int64?).map { Timestamp($0) }
        guard let list: String = row["models"] else { return }
        do throws(CallError) {
            models = try ByteBuffer(string: list).decodeJSON([ModelName].self)
        } catch {
            throw CallError(.storageFailed, "The key's list of models cannot be read.")
        }
    }

    var values: [any SQLConvertible] {
        get throws(CallError) {
            var list: String?
            if let models {
                var json = ByteBuffer()
                try json.writeJSON(models)
                list = String(buffer: json)
            }
            return [cap?.rawValue, expires?.rawValue, list]
        }
    }
}
