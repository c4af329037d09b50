import NIOConcurrencyHelpers
import NIOCore
import SharedProtocol

/// Every endpoint of the configuration in force, and the turn-taking among them. A reload swaps the list; endpoints that
/// stay keep their record, and requests that run keep the endpoint that they were given.
final class EndpointDirectory: Sendable {
    let state = NIOLockedValueBox(State())

    struct State {
        var models: [ModelName: [Endpoint]] = [:]
        /// In the configuration's order.
        var all: [Endpoint] = []
        /// Whose turn it is, per model; only ever counted up.
        var turns: [ModelName: Int] = [:]
        /// Requests that wait because every endpoint that could take them is full.
        var lines: [ModelName: WaitingLine] = [:]
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

    enum Selection: Sendable {
        case chosen(Choice)
        /// All that could take the request are full: wait.
        case full
        /// All that could take it have asked for a pause, the shortest of which is this.
        case resting(EndpointRecord.Rest)
        /// There was room neither at an endpoint nor, or not soon enough, in the line before them.
        case tooBusy
        case none
    }

    /// The next of the model's endpoints that is healthy, has room and has not been tried. When all are out, the one out
    /// longest is tried, by one request at a time. Does not wait.
    func selectNow(_ model: ModelName, excluding tried: [Endpoint]) -> Selection {
        let endpoints = state.withLockedValue { $0.models[model] ?? [] }
        let now = NIODeadline.now()
        var usable: [Endpoint] = []
        var isFull = false
        var rest: EndpointRecord.Rest?
        for endpoint in endpoints where !tried.contains(where: { $0.record === endpoint.record }) {
            switch endpoint.record.availability(at: now, limit: endpoint.configuration.maxConcurrency) {
            case .usable: usable.append(endpoint)
            case .full: isFull = true
            case .resting(let one): if rest.map({ one.until < $0.until }) ?? true { rest = one }
            case .out: break
            }
        }
        let turn = usable.isEmpty ? 0 : turn(of: model, isFirst: tried.isEmpty)
        // Between the look and the admission another request may have taken the trial or the last place.
        while !usable.isEmpty {
            let endpoint = usable.remove(at: turn % usable.count)
            if let choice = admit(to: endpoint, at: now, asLastResort: false) { return .chosen(choice) }
            if endpoint.configuration.maxConcurrency != nil { isFull = true }
        }
        if isFull { return .full }
        if let rest { return .resting(rest) }
        return (tried.isEmpty ? lastResort(endpoints, at: now) : nil).map { .chosen($0) } ?? .none
    }

    /// A request that moves on takes nobody's turn; else those behind a bad endpoint would get no first choice.
    private func turn(of model: ModelName, isFirst: Bool) -> Int {
        state.withLockedValue { state in
            let turn = state.turns[model, default: 0]
            if isFirst { state.turns[model] = turn &+ 1 }
            return turn
        }
    }

    /// Whether an endpoint that has not been tried would take requests right now. One that is to be tried by a single
    /// request does not count: all that ask here would leave for it, and one find a place.
    func hasRoom(_ model: ModelName, excluding tried: [Endpoint]) -> Bool {
        let now = NIODeadline.now()
        return (state.withLockedValue { $0.models[model] } ?? []).contains { endpoint in
            !tried.contains { $0.record === endpoint.record } && endpoint.record.outSince == nil
                && endpoint.record.availability(at: now, limit: endpoint.configuration.maxConcurrency) == .usable
        }
    }

    /// The request has ended, however it did: its place is another's.
    func release(_ choice: Choice) {
        choice.endpoint.record.release(choice.admission)
        serveLine(choice.endpoint.model)
    }

    private func lastResort(_ endpoints: [Endpoint], at now: NIODeadline) -> Choice? {
        let out = endpoints.compactMap { endpoint in endpoint.record.outSince.map { (endpoint, since: $0) } }
        return out.min { $0.since < $1.since }.flatMap { admit(to: $0.0, at: now, asLastResort: true) }
    }

    private func admit(to endpoint: Endpoint, at now: NIODeadline, asLastResort: Bool) -> Choice? {
        endpoint.record.admit(at: now, limit: endpoint.configuration.maxConcurrency, asLastResort: asLastResort)
            .map { Choice(endpoint: endpoint, admission: $0, isLastResort: asLastResort) }
    }
}
