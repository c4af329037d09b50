import NIOConcurrencyHelpers
import SharedProtocol

/// The model requests that run on this web, by whoever asked for them, so that they end with the account or the key.
final class RunningRequests: Sendable {
    private struct Entry {
        weak var request: RunningRequest?
    }

    private struct State {
        var entries: [UInt64: Entry] = [:]
        var tickets: UInt64 = 0
        /// The latest that auth announced.
        var revision: Int64 = 0
    }

    private let state = NIOLockedValueBox(State())
    /// Something is to be asked of auth.
    let news: AsyncStream<Void>
    private let newsOf: AsyncStream<Void>.Continuation

    init() { (news, newsOf) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

    /// A request begins. It counts as running for as long as somebody holds it.
    func enter(_ requester: Requester) -> RunningRequest {
        let ticket = state.withLockedValue { state in
            state.tickets += 1
            return state.tickets
        }
        let request = RunningRequest(requester) { [weak self] in
            self?.state.withLockedValue { _ = $0.entries.removeValue(forKey: ticket) }
        }
        let isBehind = state.withLockedValue { state in
            state.entries[ticket] = Entry(request: request)
            return requester.revision < state.revision
        }
        // Its access was looked at before something was taken away that this web has heard of since.
        if isBehind { newsOf.yield() }
        return request
    }

    var count: Int { state.withLockedValue(\.entries.count) }

    /// Auth announced a revision.
    func heard(_ revision: Int64) {
        let mustAsk = state.withLockedValue { state in
            guard revision > state.revision else { return false }
            state.revision = revision
            return !state.entries.isEmpty
        }
        if mustAsk { newsOf.yield() }
    }

    /// Those whose access is not known to hold at the latest revision, as many as one question may name.
    func unconfirmed() -> [RunningRequest] {
        let (all, revision) = state.withLockedValue { ($0.entries.values.compactMap(\.request), $0.revision) }
        return Array(all.lazy.filter { $0.revision < revision }.prefix(Auth.FindEnded.most))
    }

    /// Ends those whose key has expired.
    func endExpired(at now: Timestamp) {
        for request in state.withLockedValue({ $0.entries.values.compactMap(\.request) }) {
            if let expires = request.expires, expires <= now { request.end(.keyEnded) }
        }
    }
}
