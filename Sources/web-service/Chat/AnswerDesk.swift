import Logging
import NIOConcurrencyHelpers
import ServiceLifecycle
import SharedProtocol

/// Where answers are written. An answer belongs to its conversation, not to the connection that asked for it: it goes on
/// when the page is reloaded or closed, and ends by itself, by `stop`, or when this process is stopped.
final class AnswerDesk: Service {
    let store: ChatStore
    private let begin: BeginAnswer
    private let drain: @Sendable () -> Duration
    private let logger: Logger
    private let desk = NIOLockedValueBox(Desk())

    /// Answers that one person may have in the making at once.
    static let maximumAnswersPerUser = 4
    /// Answers in the making in this process.
    static let maximumAnswers = 2_000
    /// How often a partial answer is stored.
    static let saveInterval = Duration.seconds(1)
    /// How often a follower that hears nothing gets a sign of life; one whose reader is gone is noticed then.
    static let nudgeInterval = Duration.seconds(10)
    /// How long stopped answers may take for their bills.
    static let stopGrace = Duration.seconds(5)

    /// - Parameter drain: how long running answers may go on when the process is asked to stop.
    init(
        store: ChatStore, begin: @escaping BeginAnswer, drain: @escaping @Sendable () -> Duration, logger: Logger
    ) {
        self.store = store
        self.begin = begin
        self.drain = drain
        self.logger = logger
    }

    /// A question of someone's.
    struct Question: Sendable {
        /// Absent: begins a new conversation.
        var conversation: ConversationID?
        var text: String
        var model: ModelName
    }

    /// Stores the question and begins its answer. `busy`: too many answers in the making; what the store throws.
    func ask(_ question: Question, by person: Auth.Person) async throws(CallError) -> ChatStore.Turn {
        let live = LiveAnswer(id: .random(), owner: person.id)
        if let refusal = desk.withLockedValue({ $0.take(live) }) { throw refusal }
        let turn: ChatStore.Turn
        do {
            turn = try await store.beginTurn(question, answer: live.id, by: person.id, at: .now())
        } catch {
            desk.withLockedValue { $0.remove(live) }
            throw error
        }
        // Not the caller's child: the answer outlives the request. `run` waits for it before the process ends.
        Task { await write(live, turn, for: person) }
        return turn
    }

    /// The answer with this id, while it is being written here.
    func live(_ id: AnswerID, of owner: UserID) -> LiveAnswer? {
        desk.withLockedValue { $0.answers[id] }.flatMap { $0.owner == owner ? $0 : nil }
    }

    /// Ends with the process, after the last answer: each may go on for `drain`, then it is stopped, billed and stored.
    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while true {
                try await Task.sleep(for: Self.nudgeInterval)
                self.everyAnswer { $0.nudge() }
            }
        }
        await waitUntilEmpty(upTo: drain())
        everyAnswer { $0.stop() }
        // Not this task: if it was cancelled because the drain took too long, the bills are still to be waited for.
        await Task { await waitUntilEmpty(upTo: Self.stopGrace) }.value
    }

    private func everyAnswer(_ action: (LiveAnswer) -> Void) {
        for answer in desk.withLockedValue({ Array($0.answers.values) }) { action(answer) }
    }

    private func waitUntilEmpty(upTo limit: Duration) async {
        let deadline = ContinuousClock.now + limit
        while desk.withLockedValue({ !$0.answers.isEmpty }), .now < deadline, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(50))
        }
    }

    /// The answers in the making.
    private struct Desk {
        var answers: [AnswerID: LiveAnswer] = [:]
        var perUser: [UserID: Int] = [:]

        /// - Returns: why there is no room for it.
        mutating func take(_ answer: LiveAnswer) -> CallError? {
            guard perUser[answer.owner, default: 0] < AnswerDesk.maximumAnswersPerUser else {
                return CallError(.busy, "You have too many answers running. Wait for one, or stop it.")
            }
            guard answers.count < AnswerDesk.maximumAnswers else {
                return CallError(.busy, "Too many answers are running. Try again in a moment.")
            }
            answers[answer.id] = answer
            perUser[answer.owner, default: 0] += 1
            return nil
        }

        mutating func remove(_ answer: LiveAnswer) {
            answers[answer.id] = nil
            let left = perUser[answer.owner, default: 1] - 1
            perUser[answer.owner] = left > 0 ? left : nil
        }
    }
}

extension AnswerDesk {
    /// Writes one answer from its first event to its stored end.
    private func write(_ live: LiveAnswer, _ turn: ChatStore.Turn, for person: Auth.Person) async {
        let outcome: AnswerOutcome
        do {
            outcome = try await produce(live, turn, for: person)
        } catch {
            outcome = AnswerOutcome(state: .failed, problem: error.message)
        }
        let (text, reasoning) = live.content
        let end = AnswerEnd(
            state: outcome.state, text: text, reasoning: reasoning, problem: outcome.problem, bill: outcome.bill)
        do {
            try await store.finish(live.id, end, at: .now())
        } catch {
            logger.error("The end of an answer could not be stored.", metadata: ["reason": "\(error.message)"])
        }
        // After the store knows: whoever finds no live answer finds its end there.
        live.finish(end)
        desk.withLockedValue { $0.remove(live) }
    }

    private func produce(
        _ live: LiveAnswer, _ turn: ChatStore.Turn, for person: Auth.Person
    ) async throws(AnswerRefusal) -> AnswerOutcome {
        let history: [Message]
        do {
            history = try await store.messages(
                in: turn.conversation, of: person.id, before: nil, limit: ChatPrompt.maximumMessages)
        } catch {
            throw AnswerRefusal(message: error.message)
        }
        let source = try await begin(ChatPrompt(model: turn.model, history: history).encoded(), person)
        live.attach(source)
        let isWhole = await relay(source, to: live)
        var outcome = source.outcome
        if !isWhole {
            outcome.state = .failed
            outcome.problem = "The answer was ended because it became too long."
        }
        return outcome
    }

    /// - Returns: false when the answer became too long.
    private func relay(_ source: any AnswerSource, to live: LiveAnswer) async -> Bool {
        var saved = ContinuousClock.now
        var isWhole = true
        while true {
            let events = await source.next()
            guard !events.isEmpty else { return isWhole }
            guard isWhole else { continue }
            var delta = AnswerDelta()
            for event in events { delta.append(AnswerDelta(event: event)) }
            isWhole = live.append(text: delta.text, reasoning: delta.reasoning)
            if !isWhole { source.stop() }
            if saved.duration(to: .now) >= Self.saveInterval {
                await save(live)
                saved = .now
            }
        }
    }

    private func save(_ live: LiveAnswer) async {
        let (text, reasoning) = live.content
        do {
            try await store.saveProgress(of: live.id, text: text, reasoning: reasoning)
        } catch {
            logger.warning("A partial answer could not be stored.", metadata: ["reason": "\(error.message)"])
        }
    }
}
