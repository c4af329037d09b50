import Logging
import ServiceLifecycle
import SharedProtocol
import Storage
import Synchronization

/// The group-commit writer: posts that arrive while one transaction is being written go together into the next, and each
/// is answered when its own is on disk. A commit that fails answers nobody with a receipt and changes nothing; the next
/// one is tried soon after, until one succeeds.
final class Journal: Service {
    /// Posts that may wait for a commit; more are told that the ledger is busy.
    static let longestQueue = 16_384
    /// Posts of one transaction.
    static let largestCommit = 512
    /// Between two attempts while the database refuses.
    static let retryInterval = Duration.milliseconds(250)

    private enum Pending {
        case post(Ledger.Post, CheckedContinuation<Result<Ledger.Receipt, CallError>, Never>)
        /// Nobody waits for it: the post of a lost request.
        case lost(Ledger.Post)
        /// Somebody waits until what the book has now is on disk.
        case save(CheckedContinuation<CallError?, Never>)

        var post: Ledger.Post? {
            switch self {
            case .post(let post, _), .lost(let post): post
            case .save: nil
            }
        }

        func conclude(_ commit: Commit) {
            switch self {
            case .post(let post, let caller):
                caller.resume(returning: commit.answers[post.request] ?? .failure(Book.hasEnded))
            case .lost: break
            case .save(let caller): caller.resume(returning: nil)
            }
        }

        func fail(_ error: CallError) {
            switch self {
            case .post(_, let caller): caller.resume(returning: .failure(error))
            case .lost: break
            case .save(let caller): caller.resume(returning: error)
            }
        }
    }

    private struct State {
        var pending: [Pending] = []
        /// There is something to write that nobody waits for.
        var isDue = false
        var isStopping = false
        /// After a failed attempt nothing is taken for granted of what the database has.
        var looksUpAll = false
        var writer: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())
    private let book: LiveBook
    private let database: ServiceDatabase
    private let logger: Logger

    init(_ book: LiveBook, _ database: ServiceDatabase, logger: Logger) {
        self.book = book
        self.database = database
        self.logger = logger
    }

    /// Bills a request; returns once that is on disk.
    func post(_ post: Ledger.Post) async throws(CallError) -> Ledger.Receipt {
        let result = await withCheckedContinuation { caller in
            if let refusal = enqueue(.post(post, caller)) {
                caller.resume(returning: .failure(refusal))
            }
        }
        return try result.get()
    }

    /// Bills requests whose owner is gone. Those that do not fit the queue come again with the next sweep.
    func post(lost posts: [Ledger.Post]) {
        for post in posts where enqueue(.lost(post)) != nil { return }
    }

    /// Returns when every change of the book until now is on disk. Throws when the database refuses; the change is made all
    /// the same, and written when it can be.
    func save() async throws(CallError) {
        let failure = await withCheckedContinuation { caller in
            if let refusal = enqueue(.save(caller)) { caller.resume(returning: refusal) }
        }
        if let failure { throw failure }
    }

    /// Has what nobody waits for written soon.
    func writeUnsaved() { wake { $0.isDue = true } }

    /// Writes until the service stops and everything that came before is written.
    func run() async throws {
        await withTaskCancellationOrGracefulShutdownHandler {
            while let batch = await nextBatch() {
                if await commit(batch) { continue }
                try? await Task.sleep(for: Self.retryInterval)
                wake { $0.isDue = !$0.isStopping }
            }
        } onCancelOrGracefulShutdown: {
            self.wake { state in
                state.isStopping = true
                state.isDue = true
            }
        }
    }

    /// What is to go into the next transaction, once there is something; nil: the journal is to stop.
    private func nextBatch() async -> [Pending]? {
        await withCheckedContinuation { writer in
            let isReady = state.withLock { state in
                let isReady = !state.pending.isEmpty || state.isDue || state.isStopping
                if !isReady { state.writer = writer }
                return isReady
            }
            if isReady { writer.resume() }
        }
        return state.withLock { state in
            guard !state.pending.isEmpty || state.isDue else { return nil }
            let batch = Array(state.pending.prefix(Self.largestCommit))
            state.pending.removeFirst(batch.count)
            state.isDue = false
            return batch
        }
    }

    /// - Returns: whether it succeeded.
    private func commit(_ batch: [Pending]) async -> Bool {
        let posts = batch.compactMap(\.post)
        let looksUpAll = state.withLock { $0.looksUpAll }
        do throws(CallError) {
            try await database.write { [book] connection in
                let known = book.step { book, _ in posts.filter { looksUpAll || !book.isFresh($0.request) } }
                let recorded = try UsageEventStore.recorded(known.map(\.request), connection)
                let (commit, now) = book.step { book, moment in
                    (book.prepareCommit(posts, recorded: recorded, at: moment.wall), moment.wall)
                }
                try JournalStore.write(commit, at: now, connection)
            }
        } catch {
            book.step { book, _ in book.abandonCommit() }
            // A request that was reserved again after a restart may have been billed before.
            guard looksUpAll else {
                state.withLock { $0.looksUpAll = true }
                return await commit(batch)
            }
            for pending in batch { pending.fail(error) }
            return false
        }
        state.withLock { $0.looksUpAll = false }
        let (commit, isMoreDue) = book.step { book, moment in
            (book.concludeCommit(at: moment.wall), book.unsaved.isSomethingDue(at: moment.uptime))
        }
        for pending in batch { pending.conclude(commit) }
        for settlement in commit.settlements { logger.log(settlement) }
        if isMoreDue { writeUnsaved() }
        return true
    }

    /// - Returns: why it cannot be taken, if it cannot.
    private func enqueue(_ pending: Pending) -> CallError? {
        wake { state in
            guard !state.isStopping else { return CallError(.unavailable, "The ledger is stopping.") }
            guard state.pending.count < Self.longestQueue else {
                return CallError(.busy, "Too many posts are waiting.", retryAfterMs: 1000)
            }
            state.pending.append(pending)
            return nil
        }
    }

    private func wake<T: Sendable>(_ change: (inout State) -> T) -> T {
        let (result, writer) = state.withLock { state in
            let result = change(&state)
            defer { state.writer = nil }
            return (result, state.writer)
        }
        writer?.resume()
        return result
    }
}
