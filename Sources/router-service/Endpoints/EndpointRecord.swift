import NIOConcurrencyHelpers
import NIOCore
import SharedProtocol

/// What this router has seen of one endpoint: its health, its requests in flight, its probes.
final class EndpointRecord: Sendable {
    private let state = NIOLockedValueBox(State())

    private struct State {
        var health = HealthState()
        var inFlight = 0
        var probe = ProbeSchedule()
        var lastProbe: Timestamp?
        var probeDetail = "not probed yet"
    }

    func isUsable(at now: NIODeadline) -> Bool { state.withLockedValue { $0.health.isUsable(at: now) } }

    /// Since when it is out; nil when it is not.
    var outSince: NIODeadline? { state.withLockedValue { $0.health.outSince } }

    /// Lets a request in; each admission must be given back with `release`.
    func admit(at now: NIODeadline, asLastResort: Bool) -> HealthState.Admission? {
        state.withLockedValue { state in
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

    /// Whether this failure took the endpoint out.
    func failed(_ cause: HealthState.Cause, at now: NIODeadline) -> Bool {
        state.withLockedValue { state in
            let isOut = state.health.failed(cause, at: now)
            if isOut { state.probe.hurry(at: now) }
            return isOut
        }
    }

    /// Whether it is time to probe; if so, a probe is under way from now on.
    func beginProbe(at now: NIODeadline) -> Bool { state.withLockedValue { $0.probe.begin(at: now) } }

    /// Whether what the probe said changed the endpoint's standing.
    func probed(_ outcome: ProbeOutcome, at now: NIODeadline) -> Bool {
        state.withLockedValue { state in
            let wasOut = state.health.outSince != nil
            state.health.probed(isGood: outcome.isGood, at: now)
            let isOut = state.health.outSince != nil
            state.lastProbe = .now()
            state.probeDetail = outcome.detail
            state.probe.ended(mustHurry: isOut || !outcome.isGood, at: now)
            return wasOut != isOut
        }
    }

    func probeAtOnce() { state.withLockedValue { $0.probe.probeAtOnce() } }

    func report(model: ModelName, url: String, at now: NIODeadline) -> Router.EndpointHealth {
        state.withLockedValue { state in
            Router.EndpointHealth(
                model: model, url: url, isHealthy: state.health.isUsable(at: now),
                detail: state.health.reason ?? state.probeDetail, inFlight: state.inFlight, lastProbe: state.lastProbe)
        }
    }
}
