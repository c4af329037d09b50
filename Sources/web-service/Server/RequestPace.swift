import NIOCore

/// How fast a client sends its request. One that trickles would hold a connection, and what its body takes, for as long as it
/// likes (“slowloris”). A connection on which nothing has been begun is the idle limit's concern.
struct RequestPace: Sendable {
    /// For a head, from its first byte to its last.
    static let headLimit = TimeAmount.seconds(20)
    /// For a body, however long it is, ...
    static let bodyGrace = TimeAmount.seconds(30)
    /// ... and beyond that it must have come at this many bytes a second.
    static let bodyRate = 16 << 10

    private enum Phase {
        case nothing
        case head(since: NIODeadline)
        case body(since: NIODeadline, bytes: Int)
    }

    private var phase = Phase.nothing

    mutating func received(_ bytes: Int, at now: NIODeadline) {
        switch phase {
        case .nothing: phase = .head(since: now)
        case .head: break
        case .body(let since, let before): phase = .body(since: since, bytes: before + bytes)
        }
    }

    mutating func headCame(at now: NIODeadline) { phase = .body(since: now, bytes: 0) }

    mutating func requestCame() { phase = .nothing }

    func isTooSlow(at now: NIODeadline) -> Bool {
        switch phase {
        case .nothing: false
        case .head(let since): now - since > Self.headLimit
        case .body(let since, let bytes):
            now - since > Self.bodyGrace + .milliseconds(Int64(bytes) * 1000 / Int64(Self.bodyRate))
        }
    }
}
