import NIOCore
import SharedProtocol

extension ChatCall {
    /// The chat's way to a model: the same as that of `/v1`. The question has been admitted by the rate limit already.
    var forChat: BeginAnswer {
        { json, person async throws(AnswerRefusal) in
            let requester = Requester(person: person, key: nil, source: .chat)
            do throws(APIError) {
                return ModelAnswer(answer: try await begin(ModelRequest(json: json), by: requester))
            } catch {
                throw AnswerRefusal(message: error.message)
            }
        }
    }
}

/// An answer that comes through ledger and router.
private struct ModelAnswer: AnswerSource {
    let answer: Answer

    func next() async -> [ByteBuffer] { await answer.next() }
    func stop() { answer.stop() }

    var outcome: AnswerOutcome {
        let settlement = answer.settlement
        let bill = settlement.usage.map { usage in
            AnswerBill(
                request: answer.request, promptTokens: usage.prompt, completionTokens: usage.completion,
                cost: settlement.receipt?.cost ?? .zero, firstTokenMs: usage.firstTokenMs,
                durationMs: usage.durationMs)
        }
        return AnswerOutcome(
            state: Self.states[settlement.outcome] ?? .failed, problem: settlement.failure?.message, bill: bill)
    }

    private static let states: [Ledger.Outcome: AnswerState] = [.completed: .completed, .cancelled: .stopped]
}
