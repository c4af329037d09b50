import SharedProtocol

/// API keys in a table, for their owner and for admins.
struct KeyTable: Sendable {
    /// For screen readers.
    var keysLabel: String
    var hasKeys: Bool
    var keys: [Row]

    struct Row: Sendable {
        var name: String
        var hint: String
        /// Absent: all that the owner may use.
        var onlyModels: String?
        var cap: String?
        var expires: Moment?
        var isExpired: Bool
        var created: Moment
        var lastUsed: Moment?
        var revokePath: String
    }

    /// - Parameter revokePath: where a key is revoked.
    init(_ keys: [Auth.KeySummary], label: String, now: Timestamp = .now(), revokePath: (KeyID) -> String) {
        keysLabel = label
        hasKeys = !keys.isEmpty
        self.keys = keys.map { key in
            Row(
                name: key.name, hint: key.hint,
                onlyModels: key.models.map { $0.map(\.rawValue).joined(separator: ", ") }, cap: key.cap?.grouped,
                expires: key.expires.map(Moment.init), isExpired: key.expires.map { $0 <= now } ?? false,
                created: Moment(key.created), lastUsed: key.lastUsed.map(Moment.init), revokePath: revokePath(key.id))
        }
    }
}
