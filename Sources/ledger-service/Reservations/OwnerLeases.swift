import SharedProtocol

/// Until when each owner of reservations is known to live. A living owner's reservations never expire.
struct OwnerLeases: Sendable {
    /// How long an owner may be silent, in milliseconds.
    static let length: Int64 = 15_000

    private(set) var ends: [InstanceID: Int64] = [:]

    /// - Returns: whether it is a new owner.
    mutating func renew(_ owner: InstanceID, at uptime: Int64) -> Bool {
        ends.updateValue(uptime + Self.length, forKey: owner) == nil
    }

    /// The owner will not come back.
    mutating func end(_ owner: InstanceID, at uptime: Int64) { ends[owner] = uptime - 1 }

    mutating func remove(_ owner: InstanceID) { ends[owner] = nil }

    /// The owners that have been silent for too long.
    func expired(at uptime: Int64) -> Set<InstanceID> { Set(ends.filter { $0.value < uptime }.keys) }
}
