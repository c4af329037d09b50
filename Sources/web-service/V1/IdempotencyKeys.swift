import Crypto
import HTTPTypes
import NIOConcurrencyHelpers
import NIOCore
import SharedProtocol

/// Remembers the requests that named an `Idempotency-Key`, each for ten minutes after its end, so that a repeat neither runs
/// nor is billed again. In memory, of this instance alone.
///
/// What was billed is never run again: a reply that is not streamed is sent again as it was; of all else that was billed
/// (a stream, a reply too long to keep, an answer cut short by its client's leaving) a repeat hears 409. A request that ended
/// with nothing billed, whatever its status, leaves nothing behind, and the key may be used again.
final class IdempotencyKeys: Sendable {
    static let lifetime = TimeAmount.minutes(10)
    /// Longest key, in bytes of visible ASCII.
    static let lengthLimit = 255
    /// Longest reply that is kept, in bytes.
    static let replyLimit = 1 << 20
    /// Of all replies that are kept; the oldest make room, and cannot be sent again then.
    static let bytesLimit = 64 << 20
    /// Requests that are remembered. Nobody's is forgotten early: beyond it, requests with a new key get 503.
    static let entriesLimit = 100_000
    /// Of them, those of one API key.
    static let entriesPerKeyLimit = 10_000

    /// An idempotency key means nothing beyond the API key that it came with.
    struct Name: Sendable, Hashable {
        let owner: KeyID?
        let text: String
    }

    /// What tells one request from another: its operation and its body.
    typealias Digest = SHA256.Digest

    struct KeptReply: Sendable {
        let headers: HTTPFields
        let body: ByteBuffer
    }

    enum Claim {
        /// The request is to run; the ticket says how it ended.
        case run(Ticket)
        case again(KeptReply)
    }

    fileprivate struct Entry {
        let digest: Digest
        /// Nil while it runs.
        var end: NIODeadline?
        var reply: KeptReply?
    }

    fileprivate struct State {
        var entries: [Name: Entry] = [:]
        var counts: [KeyID?: Int] = [:]
        /// Those that have ended, in the order of their ends.
        var ended = CircularBuffer<Name>()
        /// Those of them whose reply is kept, in the same order.
        var kept = CircularBuffer<Name>()
        var keptBytes = 0
    }

    private let state = NIOLockedValueBox(State())

    /// Throws 422 for another request under the same key, 409 for one that runs or cannot be sent again, 503 when too many
    /// are remembered.
    func claim(_ name: Name, _ digest: Digest, at now: NIODeadline = .now()) throws(APIError) -> Claim {
        let result = state.withLockedValue { state in
            state.forgetOld(at: now)
            return Result { () throws(APIError) in try state.claim(name, digest) }
        }
        if let reply = try result.get() { return .again(reply) }
        return .run(Ticket(self, name))
    }

    fileprivate func release(_ name: Name) { state.withLockedValue { $0.remove(name) } }

    fileprivate func finish(_ name: Name, _ reply: KeptReply?, at now: NIODeadline) {
        let reply = reply.flatMap { $0.body.readableBytes <= Self.replyLimit ? $0 : nil }
        // A copy of its own: the buffer may be a slice of a much longer one.
        let copy = reply.map { KeptReply(headers: $0.headers, body: ByteBuffer(bytes: $0.body.readableBytesView)) }
        state.withLockedValue { $0.finish(name, copy, at: now) }
    }

    /// Held by a request that runs. Let go of without a word, its key counts as that of a request that was billed.
    final class Ticket: Sendable {
        private let keys: IdempotencyKeys
        private let name: Name
        private let isOpen = NIOLockedValueBox(true)

        fileprivate init(_ keys: IdempotencyKeys, _ name: Name) {
            self.keys = keys
            self.name = name
        }

        deinit { finish(nil) }

        /// Nothing was billed: the request may be made again.
        func release() {
            if close() { keys.release(name) }
        }

        /// - Parameter reply: what a repeat gets; nil: 409.
        func finish(_ reply: KeptReply?, at now: NIODeadline = .now()) {
            if close() { keys.finish(name, reply, at: now) }
        }

        /// Whether it was open.
        private func close() -> Bool {
            isOpen.withLockedValue { isOpen in
                defer { isOpen = false }
                return isOpen
            }
        }
    }
}

extension IdempotencyKeys.State {
    /// The reply to send again; nil: the request is to run, and is remembered from now on.
    fileprivate mutating func claim(
        _ name: IdempotencyKeys.Name, _ digest: IdempotencyKeys.Digest
    ) throws(APIError) -> IdempotencyKeys.KeptReply? {
        guard let entry = entries[name] else {
            guard entries.count < IdempotencyKeys.entriesLimit,
                counts[name.owner, default: 0] < IdempotencyKeys.entriesPerKeyLimit
            else { throw .unavailable("Too many idempotency keys are in use.") }
            entries[name] = IdempotencyKeys.Entry(digest: digest)
            counts[name.owner, default: 0] += 1
            return nil
        }
        if entry.digest != digest { throw .idempotencyKeyReused }
        if entry.end == nil { throw .idempotencyInProgress }
        guard let reply = entry.reply else { throw .idempotencyNotReplayable }
        return reply
    }

    fileprivate mutating func finish(
        _ name: IdempotencyKeys.Name, _ reply: IdempotencyKeys.KeptReply?, at now: NIODeadline
    ) {
        entries[name]?.end = now
        ended.append(name)
        guard let reply else { return }
        entries[name]?.reply = reply
        kept.append(name)
        keptBytes += reply.body.readableBytes
        while keptBytes > IdempotencyKeys.bytesLimit, let oldest = kept.popFirst() { dropReply(of: oldest) }
    }

    fileprivate mutating func forgetOld(at now: NIODeadline) {
        while let oldest = ended.first, let end = entries[oldest]?.end, now - end >= IdempotencyKeys.lifetime {
            ended.removeFirst()
            if kept.first == oldest {
                kept.removeFirst()
                dropReply(of: oldest)
            }
            remove(oldest)
        }
    }

    fileprivate mutating func remove(_ name: IdempotencyKeys.Name) {
        guard entries.removeValue(forKey: name) != nil, let count = counts[name.owner] else { return }
        counts[name.owner] = count > 1 ? count - 1 : nil
    }

    private mutating func dropReply(of name: IdempotencyKeys.Name) {
        keptBytes -= entries[name]?.reply?.body.readableBytes ?? 0
        entries[name]?.reply = nil
    }
}

extension IdempotencyKeys.Name {
    /// The request's key, if it names one. Throws 400 for one that is empty, too long, or not visible ASCII.
    static func named(by headers: HTTPFields, of owner: KeyID?) throws(APIError) -> IdempotencyKeys.Name? {
        guard let text = headers[.idempotencyKey] else { return nil }
        guard (1...IdempotencyKeys.lengthLimit).contains(text.utf8.count), text.utf8.allSatisfy({ 0x21...0x7E ~= $0 })
        else {
            throw .invalidRequest(
                "“Idempotency-Key” must be 1 to \(IdempotencyKeys.lengthLimit) visible ASCII characters.",
                code: "invalid_idempotency_key")
        }
        return IdempotencyKeys.Name(owner: owner, text: text)
    }
}
