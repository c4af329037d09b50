import NIOConcurrencyHelpers
import SharedProtocol

/// The requests of this web that hold a reservation, and how far each has come. A ledger that was restarted has forgotten
/// what was reserved: it hears all of it again before anything else.
final class LiveRequests: Sendable {
    private struct Entry {
        var reserve: Ledger.Reserve
        var progress: Ledger.Progress
    }

    private let entries = NIOLockedValueBox<[RequestID: Entry]>([:])

    /// - Parameter prompt: what the prompt is taken to cost as long as nobody says more.
    func began(_ reserve: Ledger.Reserve, prompt: TokenCount) {
        let progress = Ledger.Progress(request: reserve.request, prompt: prompt, completion: 0)
        entries.withLockedValue { $0[reserve.request] = Entry(reserve: reserve, progress: progress) }
    }

    func progressed(_ request: RequestID, completion: TokenCount) {
        entries.withLockedValue { $0[request]?.progress.completion = completion }
    }

    func ended(_ request: RequestID) {
        entries.withLockedValue { _ = $0.removeValue(forKey: request) }
    }

    /// To be said again to a ledger that may have been restarted; the request ids make it harmless to one that was not.
    var reserves: [Ledger.Reserve] { entries.withLockedValue { $0.values.map(\.reserve) } }

    /// Only what has produced something is named: the lease covers the others.
    var progress: [Ledger.Progress] {
        entries.withLockedValue { $0.values.map(\.progress).filter { $0.completion > 0 } }
    }
}
