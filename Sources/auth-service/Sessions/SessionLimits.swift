import SharedProtocol

/// How old a session may be at a given moment. The configuration's lifetimes are applied when a session is looked at, so
/// that a changed lifetime holds for every session at once.
struct SessionLimits: Sendable {
    /// A session opened then or before is over.
    let oldestOpened: Timestamp
    /// A session last seen then or before is over.
    let oldestSeen: Timestamp

    init(_ lifetimes: SessionConfiguration, now: Timestamp) {
        oldestOpened = Timestamp(now.rawValue - lifetimes.absolute.milliseconds)
        oldestSeen = Timestamp(now.rawValue - lifetimes.idle.milliseconds)
    }

    func allow(opened: Timestamp, seen: Timestamp) -> Bool { opened > oldestOpened && seen > oldestSeen }
}

extension Duration {
    fileprivate var milliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}
