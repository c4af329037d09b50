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
    /// An earlier request is being answered: the next is not waited for, and perhaps not even read.
    private var isAnswering = false

    mutating func received(_ bytes: ByteBuffer, at now: NIODeadline) {
        switch phase {
        case .nothing:
            // Some clients end a body with an empty line, which begins nothing (RFC 9112, 2.2).
            let first = bytes.getInteger(at: bytes.readerIndex, as: UInt8.self)
            if first != UInt8(ascii: "\r"), first != UInt8(ascii: "\n") { phase = .head(since: now) }
        case .head: break
        case .body(let since, let before): phase = .body(since: since, bytes: before + bytes.readableBytes)
        }
    }

    mutating func headCame(at now: NIODeadline) { phase = .body(since: now, bytes: 0) }

    /// - Parameter isAnswered: it was answered before its end, and so were all others.
    mutating func requestCame(isAnswered: Bool) {
        phase = .nothing
        isAnswering = !isAnswered
    }

    /// Every request that has come whole is answered.
    mutating func answered(at now: NIODeadline) {
        isAnswering = false
        switch phase {
        case .nothing: break
        case .head: phase = .head(since: now)
        case .body: phase = .body(since: now, bytes: 0)
        }
    }

    func isTooSlow(at now: NIODeadline) -> Bool {
        if isAnswering { return false }
        return switch phase {
        case .nothing: false
        case .head(let since): now - since > Self.headLimit
        case .body(let since, let bytes):
            now - since > Self.bodyGrace + .milliseconds(Int64(bytes) * 1000 / Int64(Self.bodyRate))
        }
    }
}
