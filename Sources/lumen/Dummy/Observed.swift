import NIOConcurrencyHelpers
import SharedProtocol

/// What became of the latest requests, for tests: above all, when a client left. `GET /observed` prints it,
/// `GET /observed?after=N` without the first N.
final class Observed: Sendable {
    /// Older requests are forgotten.
    static let recordLimit = 10_000

    private let state = NIOLockedValueBox(State())

    private struct State {
        var records: [Record] = []
        /// Requests that have been forgotten.
        var forgotten = 0
        var countByModel: [String: Int] = [:]
    }

    struct Record: Codable, Sendable {
        /// Counts all requests from 1.
        var number: Int
        var operation: String
        var model: String
        /// The request's own `user`.
        var user: String?
        var isStream: Bool
        /// The output limit that the request named.
        var limit: Int?
        var began: Timestamp
        /// Events sent, `[DONE]` not counted; 0 for a whole reply.
        var events = 0
        /// Tokens sent, in events or a whole reply.
        var tokens = 0
        var lastEvent: Timestamp?
        /// When the reply had been sent whole.
        var ended: Timestamp?
        /// When the client's connection was seen closed, if that was before the end.
        var left: Timestamp?
        /// From the last event, or the beginning if there was none, to `left`.
        var leftAfterMs: Int64?

        enum CodingKeys: String, CodingKey {
            case number, operation, model, user, limit, events, tokens
            case isStream = "stream"
            case began = "began_ms"
            case lastEvent = "last_event_ms"
            case ended = "ended_ms"
            case left = "left_ms"
            case leftAfterMs = "left_after_ms"
        }
    }

    /// All times are milliseconds since 1970.
    struct Report: Codable, Sendable {
        var requests: Int
        var requestsByModel: [String: Int]
        /// Oldest first.
        var latest: [Record]

        enum CodingKeys: String, CodingKey {
            case requests, latest
            case requestsByModel = "requests_by_model"
        }
    }

    /// Returns the number of the record.
    func begin(_ request: DummyRequest, operation: String) -> Int {
        state.withLockedValue { state in
            if state.records.count == Self.recordLimit {
                // Half at a time, so that forgetting does not move the whole list for each request.
                state.records.removeFirst(Self.recordLimit / 2)
                state.forgotten += Self.recordLimit / 2
            }
            state.countByModel[request.model, default: 0] += 1
            let number = state.forgotten + state.records.count + 1
            state.records.append(
                Record(
                    number: number, operation: operation, model: request.model, user: request.user,
                    isStream: request.isStream, limit: request.limit, began: .now()))
            return number
        }
    }

    func sent(_ number: Int, events: Int, tokens: Int) {
        update(number) {
            $0.events += events
            $0.tokens += tokens
            if events > 0 { $0.lastEvent = .now() }
        }
    }

    func ended(_ number: Int) { update(number) { $0.ended = .now() } }

    func left(_ number: Int) {
        update(number) {
            let now = Timestamp.now()
            $0.left = now
            $0.leftAfterMs = now.rawValue - ($0.lastEvent ?? $0.began).rawValue
        }
    }

    /// - Parameter number: only what came after this request is told one by one.
    func report(after number: Int = 0) -> Report {
        state.withLockedValue {
            Report(
                requests: $0.forgotten + $0.records.count, requestsByModel: $0.countByModel,
                latest: Array($0.records.dropFirst(max(0, number - $0.forgotten))))
        }
    }

    private func update(_ number: Int, _ change: (inout Record) -> Void) {
        state.withLockedValue { state in
            let index = number - 1 - state.forgotten
            if state.records.indices.contains(index) { change(&state.records[index]) }
        }
    }
}
