import Crypto
import HTTPTypes
import NIOConcurrencyHelpers
import NIOCore
import ServiceLifecycle
import SharedProtocol
import Storage

/// Remembers the requests that named an `Idempotency-Key`, each for ten minutes after its end, so that a repeat neither runs
/// nor is billed again: in web's database, so that it holds for all webs that share one, and after any of them has died.
///
/// What was billed is never run again: a reply that is not streamed is sent again as it was; of all else that was billed
/// (a stream, a reply too long to keep, an answer cut short by its client's leaving) a repeat hears 409. A request that ended
/// with nothing billed, whatever its status, leaves nothing behind, and the key may be used again.
final class IdempotencyKeys: Service {
    /// In milliseconds.
    static let lifetime: Int64 = 600_000
    /// Longest key, in bytes of visible ASCII.
    static let lengthLimit = 255
    /// Longest reply that is kept, in bytes.
    static let replyLimit = 1 << 20
    /// Of the replies of one API key; beyond it they are not kept, and cannot be sent again.
    static let bytesPerKeyLimit = 64 << 20
    /// Requests of one API key. None is forgotten early: beyond it, those with a new key get 503. Requests that come
    /// together may exceed it by their number.
    static let entriesPerKeyLimit = 10_000
    /// How often ends are saved that the database did not take.
    static let interval = Duration.seconds(3)
    /// Of these turns, so many go by between two deletions of the old.
    static let turnsPerPruning = 20
    /// Ends that wait for the database; beyond it, requests with a key get 503.
    static let unsavedLimit = 1_000

    /// An idempotency key means nothing beyond the API key that it came with.
    struct Name: Sendable, Hashable {
        let owner: KeyID
        let text: String
    }

    /// What tells one request from another: its operation and its body.
    typealias Digest = SHA256.Digest

    struct KeptReply: Sendable {
        let body: ByteBuffer
        /// The output limit, when it was lowered.
        let lowered: (limit: TokenCount, by: Ledger.LimitedBy)?
    }

    enum Claim {
        /// The request is to run; the ticket says how it ended.
        case run(Ticket)
        case again(KeptReply)
    }

    private let database: ServiceDatabase
    private let writer: InstanceID
    /// Ends that the database has not taken, or that nobody waited for.
    private let unsaved = NIOLockedValueBox<[(Row, IdempotencyKeyEnd)]>([])

    /// - Parameter writer: this web; what it leaves behind when it dies is closed by another (`Presence`).
    init(_ database: ServiceDatabase, writer: InstanceID) {
        self.database = database
        self.writer = writer
    }

    /// Throws 422 for another request under the same key, 409 for one that runs or cannot be sent again, 503 when too many
    /// are remembered or the database does not answer.
    func claim(
        _ name: Name, _ digest: Digest, as request: RequestID, at now: Timestamp = .now()
    ) async throws(APIError) -> Claim {
        guard unsaved.withLockedValue({ $0.count }) < Self.unsavedLimit else { throw Self.unavailable }
        let row = Row(name: name, request: request)
        let found: Finding
        do {
            found = try await database.write(isolation: .readCommitted) { [writer] connection in
                try row.claim(digest, by: writer, at: now, in: connection)
            }
        } catch {
            // What failed may have been committed all the same.
            if error.code == .storageFailed { saveLater(.notBilled, of: row) }
            throw Self.unavailable
        }
        switch found {
        case .nothing: return .run(Ticket(self, row))
        case .tooMany: throw .unavailable("Too many idempotency keys are in use.", retryAfter: 60)
        case .anotherRequest: throw .idempotencyKeyReused
        case .running: throw .idempotencyInProgress
        case .ended(nil): throw .idempotencyNotReplayable
        case .ended(let reply?): return .again(reply)
        }
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var turns = 0
            while (try? await Task.sleep(for: Self.interval)) != nil {
                await self.saveUnsaved()
                turns += 1
                if turns % Self.turnsPerPruning == 0 { await self.forgetOld() }
            }
        }
        await saveUnsaved()
    }

    func saveUnsaved() async {
        var waiting = takeUnsaved()
        while let (row, end) = waiting.popLast(), await save(end, of: row, at: .now()) {}
        unsaved.withLockedValue { $0 += waiting }
    }

    func forgetOld(at now: Timestamp = .now()) async {
        // What fails is told by the database, and tried again.
        _ = try? await database.write(isolation: .readCommitted) { try Self.forgetOld(at: now, $0) }
    }

    private func takeUnsaved() -> [(Row, IdempotencyKeyEnd)] {
        unsaved.withLockedValue { unsaved in
            defer { unsaved = [] }
            return unsaved
        }
    }

    /// - Returns: whether the database took it. If not, it will be told again.
    @discardableResult
    private func save(_ end: IdempotencyKeyEnd, of row: Row, at now: Timestamp) async -> Bool {
        do {
            try await database.write(isolation: .readCommitted) { try row.save(end, at: now, in: $0) }
            return true
        } catch {
            // Without the reply: it would be held in memory for as long as the database is away.
            saveLater(end.withoutReply, of: row)
            return false
        }
    }

    private func saveLater(_ end: IdempotencyKeyEnd, of row: Row) {
        unsaved.withLockedValue { $0.append((row, end)) }
    }

    private static let unavailable = APIError.unavailable("Idempotency keys cannot be remembered right now.")

    /// Held by a request that runs. Let go of without a word, its key counts as that of a request that was billed.
    final class Ticket: Sendable {
        private let keys: IdempotencyKeys
        private let row: Row
        private let isOpen = NIOLockedValueBox(true)

        fileprivate init(_ keys: IdempotencyKeys, _ row: Row) {
            self.keys = keys
            self.row = row
        }

        deinit {
            if close() { keys.saveLater(.billed(nil), of: row) }
        }

        /// Says how the request ended; the first word counts. A database that does not take it is told again later.
        func end(_ end: IdempotencyKeyEnd, at now: Timestamp = .now()) async {
            if close() { await keys.save(end, of: row, at: now) }
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

/// How a request under an idempotency key ended.
enum IdempotencyKeyEnd: Sendable {
    /// The request may be made again.
    case notBilled
    /// With what a repeat gets; nil: 409.
    case billed(IdempotencyKeys.KeptReply?)

    fileprivate var withoutReply: IdempotencyKeyEnd {
        switch self {
        case .notBilled: .notBilled
        case .billed: .billed(nil)
        }
    }
}

extension IdempotencyKeys.Name {
    /// The request's key, if it names one. Throws 400 for one that is empty, too long, or not visible ASCII.
    static func named(by headers: HTTPFields, of owner: KeyID?) throws(APIError) -> IdempotencyKeys.Name? {
        guard let owner, let text = headers[.idempotencyKey] else { return nil }
        guard (1...IdempotencyKeys.lengthLimit).contains(text.utf8.count), text.utf8.allSatisfy({ 0x21...0x7E ~= $0 })
        else {
            throw .invalidRequest(
                "“Idempotency-Key” must be 1 to \(IdempotencyKeys.lengthLimit) visible ASCII characters.",
                code: "invalid_idempotency_key")
        }
        return IdempotencyKeys.Name(owner: owner, text: text)
    }
}
