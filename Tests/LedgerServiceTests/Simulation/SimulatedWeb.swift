@testable import SharedProtocol
@testable import ledger_service

/// A web instance as the ledger sees it: what it has reserved and produced, and which posts it has on disk.
struct SimulatedWeb {
    let instance: InstanceID
    var live: [RequestID: Live] = [:]
    /// Posts that the ledger has not answered.
    var pending: [RequestID: Ledger.Post]
    /// Requests that are to be voided.
    var unheard: Set<RequestID> = []
    /// Ended, and still said to be reserved until their posts are answered.
    private var settling: [RequestID: Live] = [:]

    struct Live {
        var call: Ledger.Reserve
        var grant: Ledger.Grant
        var produced: Int64 = 0
    }

    init(_ number: Int, pending: [RequestID: Ledger.Post] = [:]) {
        instance = InstanceID("web-\(number)")
        self.pending = pending
    }

    mutating func begin(_ call: Ledger.Reserve, _ grant: Ledger.Grant) {
        live[call.request] = Live(call: call, grant: grant)
    }

    mutating func produce(_ request: RequestID, upTo tokens: Int64) {
        guard let entry = live[request] else { return }
        live[request]?.produced = min(entry.grant.reserved.rawValue, entry.produced + tokens)
    }

    func anyLive(using random: inout SplitMix) -> RequestID? {
        live.keys.sorted { $0.rawValue < $1.rawValue }.randomElement(using: &random)
    }

    /// - Parameter lies: the backend says that it used more than was reserved.
    /// - Returns: nil when nothing was produced.
    mutating func end(_ request: RequestID, lies: Bool) -> Ledger.Post? {
        guard let entry = live.removeValue(forKey: request), entry.produced > 0 || lies else { return nil }
        settling[request] = entry
        let used = lies ? entry.grant.reserved.rawValue + 17 : entry.produced
        var post = Ledger.Post.test(
            request, entry.call.account, completion: TokenCount(used), model: entry.call.model.rawValue)
        post.keyCap = entry.call.keyCap
        pending[request] = post
        return post
    }

    /// The post of a request was answered.
    mutating func ended(_ request: RequestID) {
        pending[request] = nil
        settling[request] = nil
    }

    var progress: [Ledger.Progress] { live.values.map(Self.progress) }

    var assertion: Ledger.Assert {
        Ledger.Assert(
            owner: instance,
            reservations: (Array(live.values) + settling.values).map {
                Ledger.Assertion(reserve: $0.call, grant: $0.grant, progress: Self.progress($0))
            })
    }

    /// An estimate, which of some requests is too high.
    private static func progress(_ entry: Live) -> Ledger.Progress {
        let excess = entry.call.outputLimit.rawValue % 3 == 0 ? (entry.produced + 1) / 2 : 0
        return Ledger.Progress(
            request: entry.call.request, prompt: 0, completion: TokenCount(entry.produced + excess))
    }
}
