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

    private struct Pending {
        let post: Ledger.Post
        /// Nil when nobody waits: the post of a lost request.
        let caller: CheckedContinuation<Result<Ledger.Receipt, CallError>, Never>?
    }

    private struct State {
        var pending: [Pending] = []
        /// There is something to write that nobody waits for.
        var isDue = false
        var isStopping = false
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
            if let refusal = enqueue(Pending(post: post, caller: caller)) {
                caller.resume(returning: .failure(refusal))
            }
        }
        return try result.get()
    }

    /// Bills requests whose owner is gone. Those that do not fit the queue come again with the next sweep.
    func post(lost posts: [Ledger.Post]) {
        for post in posts where enqueue(Pending(post: post, caller: nil)) != nil { return }
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
        let posts = batch.map(\.post)
        do throws(CallError) {
            try await database.write { [book] database in
                var recorded: [RequestID: Recorded] = [:]
                for post in posts {
                    recorded[post.request] = try UsageEventStore.recorded(post.request, database)
                }
                let (commit, now) = book.step { [recorded] book, moment in
                    (book.prepareCommit(posts, recorded: recorded, at: moment.wall), moment.wall)
                }
                try JournalStore.write(commit, at: now, database)
            }
        } catch {
            book.step { book, _ in book.abandonCommit() }
            for pending in batch { pending.caller?.resume(returning: .failure(error)) }
            return false
        }
        let (commit, isMoreDue) = book.step { book, moment in
            (book.concludeCommit(at: moment.wall), book.hasUnsaved)
        }
        for pending in batch {
            pending.caller?.resume(returning: commit.answers[pending.post.request] ?? .failure(Book.hasEnded))
        }
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
