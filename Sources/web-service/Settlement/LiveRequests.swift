import NIOConcurrencyHelpers
import SharedProtocol

/// The requests of this web that hold a reservation, and how far each has come. A ledger that was restarted has forgotten
/// the youngest: it hears all of them again before anything else.
final class LiveRequests: Sendable {
    private struct Entry {
        let grant: Grant
        var progress: Ledger.Progress
    }

    /// Large, and so not in the dictionary itself, which has room for nearly twice as many.
    private final class Grant: Sendable {
        let reserve: Ledger.Reserve
        let grant: Ledger.Grant

        init(_ reserve: Ledger.Reserve, _ grant: Ledger.Grant) {
            self.reserve = reserve
            self.grant = grant
        }
    }

    private struct State {
        var entries: [RequestID: Entry] = [:]
        /// Requests that have come further since the ledger was told.
        var progressed: Set<RequestID> = []
    }

    private let state = NIOLockedValueBox(State())

    /// - Parameter prompt: what the prompt is taken to cost as long as nobody says more.
    func began(_ reserve: Ledger.Reserve, _ grant: Ledger.Grant, prompt: TokenCount) {
        let progress = Ledger.Progress(request: reserve.request, prompt: prompt, completion: 0)
        let entry = Entry(grant: Grant(reserve, grant), progress: progress)
        state.withLockedValue { $0.entries[reserve.request] = entry }
    }

    func progressed(_ request: RequestID, completion: TokenCount) {
        state.withLockedValue { state in
            guard state.entries[request] != nil else { return }
            state.entries[request]?.progress.completion = completion
            state.progressed.insert(request)
        }
    }

    /// The ledger has the request's end on disk.
    func ended(_ request: RequestID) {
        state.withLockedValue { state in
            state.entries[request] = nil
            state.progressed.remove(request)
        }
    }

    /// All that is reserved, to be said again to a ledger that may have been restarted.
    func assertion(by owner: InstanceID) -> Ledger.Assert {
        let entries = state.withLockedValue { Array($0.entries.values) }
        return Ledger.Assert(
            owner: owner,
            reservations: entries.map { entry in
                Ledger.Assertion(reserve: entry.grant.reserve, grant: entry.grant.grant, progress: entry.progress)
            })
    }

    /// What has produced something since this was asked last: the lease covers the others.
    func takeProgress() -> [Ledger.Progress] {
        state.withLockedValue { state in
            defer { state.progressed = [] }
            return state.progressed.compactMap { state.entries[$0]?.progress }
        }
    }
}
