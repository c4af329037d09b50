import NIOConcurrencyHelpers
import SharedProtocol

/// An answer while it is being written. The writer appends; any follower reads the text from where it is, so a slow follower
/// costs no memory and misses nothing. Nobody who follows can end it: only `stop` does.
final class LiveAnswer: Sendable {
    let id: AnswerID
    let owner: UserID
    private let state = NIOLockedValueBox(State())

    /// UTF-8 bytes of text and reasoning together; what comes after is not kept, and the answer is ended.
    static let maximumBytes = 4 * 1_024 * 1_024
    /// Pages that may follow one answer at once.
    static let maximumFollowers = 16

    init(id: AnswerID, owner: UserID) {
        self.id = id
        self.owner = owner
    }

    private struct State {
        var text = ""
        var reasoning = ""
        var end: AnswerEnd?
        var source: (any AnswerSource)?
        var isStopped = false
        var followers = 0
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
        var lastWaiter = 0

        mutating func takeWaiters() -> [CheckedContinuation<Void, Never>] {
            defer { waiters.removeAll() }
            return Array(waiters.values)
        }
    }
}

// The writer's side.
extension LiveAnswer {
    /// Adds what arrived.
    ///
    /// - Returns: false when the answer has become too long; nothing was added then.
    func append(text: String, reasoning: String) -> Bool {
        let waiters: [CheckedContinuation<Void, Never>]? = state.withLockedValue { state in
            let size = state.text.utf8.count + state.reasoning.utf8.count + text.utf8.count + reasoning.utf8.count
            guard size <= Self.maximumBytes else { return nil }
            state.text += text
            state.reasoning += reasoning
            return state.takeWaiters()
        }
        waiters?.forEach { $0.resume() }
        return waiters != nil
    }

    var content: (text: String, reasoning: String) { state.withLockedValue { ($0.text, $0.reasoning) } }

    /// Says where the answer comes from, so that it can be stopped there; stops it if someone asked before.
    func attach(_ source: any AnswerSource) {
        let isStopped = state.withLockedValue { state in
            state.source = source
            return state.isStopped
        }
        if isStopped { source.stop() }
    }

    /// Tells the followers how it ended.
    func finish(_ end: AnswerEnd) {
        let waiters = state.withLockedValue { state in
            state.end = end
            state.source = nil
            return state.takeWaiters()
        }
        for waiter in waiters { waiter.resume() }
    }

    var isStopped: Bool { state.withLockedValue(\.isStopped) }

    func stop() {
        let source = state.withLockedValue { state in
            state.isStopped = true
            return state.source
        }
        source?.stop()
    }
}

// The followers' side.
extension LiveAnswer {
    /// What a follower has not seen yet.
    struct News: Sendable, Hashable {
        var text: String
        var reasoning: String
        var cursor: AnswerCursor
        var end: AnswerEnd?

        init(text: String, reasoning: String, after cursor: AnswerCursor, end: AnswerEnd?) {
            let text = text.utf8.dropFirst(cursor.text)
            let reasoning = reasoning.utf8.dropFirst(cursor.reasoning)
            self.text = String(decoding: text, as: UTF8.self)
            self.reasoning = String(decoding: reasoning, as: UTF8.self)
            self.cursor = AnswerCursor(
                text: cursor.text + text.count, reasoning: cursor.reasoning + reasoning.count)
            self.end = end
        }

        var isEmpty: Bool { text.isEmpty && reasoning.isEmpty && end == nil }
    }

    func news(after cursor: AnswerCursor) -> News {
        let (text, reasoning, end) = state.withLockedValue { ($0.text, $0.reasoning, $0.end) }
        return News(text: text, reasoning: reasoning, after: cursor, end: end)
    }

    /// Waits until there is news after the cursor, a `nudge`, or the task's cancellation.
    func waitForNews(after cursor: AnswerCursor) async {
        let ticket = state.withLockedValue { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                let isNews = state.withLockedValue { state in
                    let isNews =
                        state.end != nil || state.text.utf8.count > cursor.text
                        || state.reasoning.utf8.count > cursor.reasoning || Task.isCancelled
                    if !isNews { state.waiters[ticket] = continuation }
                    return isNews
                }
                if isNews { continuation.resume() }
            }
        } onCancel: {
            state.withLockedValue { $0.waiters.removeValue(forKey: ticket) }?.resume()
        }
    }

    /// Wakes every follower, with or without news, so that each finds out whether its reader is still there.
    func nudge() {
        for waiter in state.withLockedValue({ $0.takeWaiters() }) { waiter.resume() }
    }

    /// - Returns: false when too many follow already.
    func addFollower() -> Bool {
        state.withLockedValue { state in
            guard state.followers < Self.maximumFollowers else { return false }
            state.followers += 1
            return true
        }
    }

    func removeFollower() {
        state.withLockedValue { $0.followers -= 1 }
    }
}
