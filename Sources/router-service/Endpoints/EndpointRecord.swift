import NIOConcurrencyHelpers
import NIOCore
import SharedProtocol

/// What this router has seen of one endpoint: its health, its requests in flight, its probes. It outlives a reload.
final class EndpointRecord: Sendable {
    /// Longest rest that a backend can ask for.
    static let longestRest = TimeAmount.seconds(60)

    private let state = NIOLockedValueBox(State())

    private struct State {
        var health = HealthState()
        var inFlight = 0
        var probe = ProbeSchedule()
        var lastProbe: Timestamp?
        var probeDetail = "not probed yet"
        var rest: Rest?
        /// At most as many as are in flight.
        var silent: [ObjectIdentifier: SilentRequest] = [:]
        /// Silences that began before have had their probe.
        var silencesProbed = NIODeadline.uptimeNanoseconds(0)

        func rest(at now: NIODeadline) -> Rest? { rest.flatMap { now < $0.until ? $0 : nil } }

        func detail(at now: NIODeadline) -> String {
            if let reason = health.reason { return reason }
            guard let rest = rest(at: now) else { return probeDetail }
            let seconds = ((rest.until - now).nanoseconds + 999_999_999) / 1_000_000_000
            return "asked for a pause; rests for \(seconds) s"
        }
    }

    /// The backend wants no requests until then.
    struct Rest: Equatable {
        var until: NIODeadline
        /// Because it has too many; else because it is not available.
        var isRateLimit: Bool
    }

    enum Availability: Equatable {
        case usable
        /// As many requests run there as may.
        case full
        /// The backend asked for a pause.
        case resting(Rest)
        case out
    }

    /// - Parameter limit: `max_concurrency`.
    func availability(at now: NIODeadline, limit: Int?) -> Availability {
        state.withLockedValue { state in
            if !state.health.isUsable(at: now) { return .out }
            if let rest = state.rest(at: now) { return .resting(rest) }
            return limit.map { state.inFlight >= $0 } ?? false ? .full : .usable
        }
    }

    /// Since when it is out; nil when it is not.
    var outSince: NIODeadline? { state.withLockedValue { $0.health.outSince } }

    /// Lets a request in; each admission must be given back with `release`.
    func admit(at now: NIODeadline, limit: Int?, asLastResort: Bool) -> HealthState.Admission? {
        state.withLockedValue { state in
            if let limit, state.inFlight >= limit { return nil }
            guard let admission = state.health.admit(at: now, asLastResort: asLastResort) else { return nil }
            state.inFlight += 1
            return admission
        }
    }

    /// The request has ended, however it did.
    func release(_ admission: HealthState.Admission) {
        state.withLockedValue { state in
            state.inFlight -= 1
            state.health.release(admission)
        }
    }

    func succeeded() { state.withLockedValue { $0.health.succeeded() } }

    /// A request has failed. When that takes the endpoint out, those that wait for a first byte move on.
    func failed(_ cause: HealthState.Cause, _ admission: HealthState.Admission, at now: NIODeadline) {
        let left = state.withLockedValue { state -> [SilentRequest] in
            guard state.health.failed(cause, admission, at: now) else { return [] }
            state.probe.hurry(at: now)
            return Array(state.silent.values)
        }
        for request in left { request.giveUp() }
    }

    /// No requests for this long, at most `longestRest`: the backend has asked for it.
    func rest(for pause: TimeAmount, isRateLimit: Bool, at now: NIODeadline) {
        let rest = Rest(until: now + min(pause, Self.longestRest), isRateLimit: isRateLimit)
        state.withLockedValue { if $0.rest.map({ $0.until < rest.until }) ?? true { $0.rest = rest } }
    }

    func waits(_ request: SilentRequest) { state.withLockedValue { $0.silent[ObjectIdentifier(request)] = request } }

    func waitsNoLonger(_ request: SilentRequest) {
        state.withLockedValue { _ = $0.silent.removeValue(forKey: ObjectIdentifier(request)) }
    }

    /// Whether it is time to probe; if so, a probe is under way from now on. It is, too, when a request has waited long
    /// enough for its first byte since the last such probe.
    func beginProbe(at now: NIODeadline) -> Bool {
        state.withLockedValue { state in
            let lately = now - SilentRequest.patience
            let isSilent = state.silent.values.contains { $0.since > state.silencesProbed && $0.since <= lately }
            if isSilent { state.probe.probeForSilence() }
            guard state.probe.begin(at: now) else { return false }
            state.silencesProbed = lately
            return true
        }
    }

    /// Whether what the probe said changed the endpoint's standing.
    func probed(_ outcome: ProbeOutcome, at now: NIODeadline) -> Bool {
        let (isChanged, left) = state.withLockedValue { state -> (Bool, [SilentRequest]) in
            let wasOut = state.health.outSince != nil
            state.health.probed(outcome.verdict, at: now)
            let isOut = state.health.outSince != nil
            state.lastProbe = .now()
            state.probeDetail = outcome.detail
            state.probe.ended(isGood: outcome.verdict != .bad, isOut: isOut, at: now)
            return (wasOut != isOut, isOut ? Array(state.silent.values) : [])
        }
        for request in left { request.giveUp() }
        return isChanged
    }

    func probeAtOnce() { state.withLockedValue { $0.probe.probeAtOnce() } }

    func report(model: ModelName, url: String, at now: NIODeadline) -> Router.EndpointHealth {
        state.withLockedValue { state in
            Router.EndpointHealth(
                model: model, url: url, isHealthy: state.health.isUsable(at: now),
                detail: state.detail(at: now), inFlight: state.inFlight, lastProbe: state.lastProbe)
        }
    }
}
