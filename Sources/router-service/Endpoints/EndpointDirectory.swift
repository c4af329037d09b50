import NIOConcurrencyHelpers
import NIOCore
import SharedProtocol

/// Every endpoint of the configuration in force, and the turn-taking among them. A reload swaps the list; endpoints that
/// stay keep their record, and requests that run keep the endpoint that they were given.
final class EndpointDirectory: Sendable {
    private let state = NIOLockedValueBox(State())

    private struct State {
        var models: [ModelName: [Endpoint]] = [:]
        /// In the configuration's order.
        var all: [Endpoint] = []
        /// Whose turn it is, per model; only ever counted up.
        var turns: [ModelName: Int] = [:]
    }

    init(_ configuration: LumenConfiguration) {
        update(configuration)
    }

    /// Takes over a new configuration and has all its endpoints probed at once.
    func update(_ configuration: LumenConfiguration) {
        state.withLockedValue { state in
            let known = Dictionary(state.all.map { ($0.identity, $0.record) }, uniquingKeysWith: { first, _ in first })
            state.all = configuration.models.filter(\.isActive).flatMap { model in
                model.endpoints.map { endpoint in
                    let record = known[Endpoint.identity(model.name, endpoint)] ?? EndpointRecord()
                    return Endpoint(model.name, endpoint, record)
                }
            }
            state.models = Dictionary(grouping: state.all, by: \.model)
            state.turns = state.turns.filter { state.models[$0.key] != nil }
            for endpoint in state.all { endpoint.record.probeAtOnce() }
        }
    }

    var all: [Endpoint] { state.withLockedValue { $0.all } }

    /// An endpoint that has let the request in.
    struct Choice: Sendable {
        let endpoint: Endpoint
        let admission: HealthState.Admission
        /// All are out, and this one has been so for longest.
        let isLastResort: Bool
    }

    /// The next of the model's healthy endpoints that has not been tried. When all are out, the one out longest is tried,
    /// by one request at a time.
    func choose(_ model: ModelName, excluding tried: [Endpoint]) -> Choice? {
        let (endpoints, turn) = state.withLockedValue { state in
            let turn = state.turns[model, default: 0]
            // A request that moves on takes nobody's turn; else those behind a bad endpoint would get no first choice.
            if tried.isEmpty { state.turns[model] = turn &+ 1 }
            return (state.models[model] ?? [], turn)
        }
        let now = NIODeadline.now()
        var usable = endpoints.filter { candidate in
            candidate.record.isUsable(at: now) && !tried.contains { $0.record === candidate.record }
        }
        // Between the look and the admission another request may have taken a trial.
        while !usable.isEmpty {
            let endpoint = usable.remove(at: turn % usable.count)
            if let admission = endpoint.record.admit(at: now, asLastResort: false) {
                return Choice(endpoint: endpoint, admission: admission, isLastResort: false)
            }
        }
        return tried.isEmpty ? lastResort(endpoints, at: now) : nil
    }

    private func lastResort(_ endpoints: [Endpoint], at now: NIODeadline) -> Choice? {
        let out = endpoints.compactMap { endpoint in endpoint.record.outSince.map { (endpoint, since: $0) } }
        guard let (endpoint, _) = out.min(by: { $0.since < $1.since }),
            let admission = endpoint.record.admit(at: now, asLastResort: true)
        else { return nil }
        return Choice(endpoint: endpoint, admission: admission, isLastResort: true)
    }
}
