import NIOCore

/// Whether one endpoint may have requests, decided from what its probes and its requests saw. A pure value: time comes
/// in as an argument.
///
/// Out by probes it stays until a good probe. Out by failed requests it stays for a time that doubles with each ejection;
/// then one request at a time tries it. A good probe ends an ejection at once, unless replies were its cause: a backend
/// that answers 500 may still list its models.
struct HealthState {
    static let badProbesToOut = 2
    static let failuresToOut = 3
    static let firstEjection = TimeAmount.seconds(1)
    static let longestEjection = TimeAmount.seconds(8)

    enum Cause: Equatable {
        /// It could not be reached, was silent for too long, or dropped the connection.
        case connection
        /// It answered what no healthy backend answers.
        case replies
        case probes
    }

    /// What a request was let in as. A trial has a number, so that one that outlived its ejection is not taken for the
    /// trial of the next.
    enum Admission: Equatable, Sendable {
        case regular
        case trial(Int)
    }

    /// What a probe says.
    enum Verdict: Equatable, Sendable {
        /// The model is served there.
        case good
        /// Somebody answers, who does not tell which models there are: only requests can.
        case alive
        case bad
    }

    private struct Ejection: Equatable {
        var cause: Cause
        var since: NIODeadline
        /// nil: until a good probe.
        var until: NIODeadline?
    }

    private var ejection: Ejection?
    private var badProbes = 0
    private var failures = 0
    /// How long the next ejection by requests will be.
    private var nextEjection = firstEjection
    /// The number of the trial under way.
    private var trial: Int?
    private var trials = 0

    var outSince: NIODeadline? { ejection?.since }

    /// Why it is out; nil when it is not.
    var reason: String? {
        switch ejection?.cause {
        case .connection: "requests did not reach it or got no answer in time"
        case .replies: "requests got wrong answers"
        case .probes: "its model list did not answer or lacks the model"
        case nil: nil
        }
    }

    func isUsable(at now: NIODeadline) -> Bool {
        guard let ejection else { return true }
        guard let until = ejection.until else { return false }
        return now >= until && trial == nil
    }

    /// Lets a request in, or not. A trial ends with `release`.
    mutating func admit(at now: NIODeadline, asLastResort: Bool) -> Admission? {
        if ejection == nil { return .regular }
        if trial != nil || !(asLastResort || isUsable(at: now)) { return nil }
        trials += 1
        trial = trials
        return .trial(trials)
    }

    mutating func release(_ admission: Admission) {
        if isTrial(admission) { trial = nil }
    }

    /// A request got the first byte of a good answer, or was refused for its own faults.
    mutating func succeeded() {
        failures = 0
        nextEjection = Self.firstEjection
        ejection = nil
        // The trial has told what it was for, though its stream may go on.
        trial = nil
    }

    /// Whether this failure of a request took the endpoint out.
    mutating func failed(_ cause: Cause, _ admission: Admission, at now: NIODeadline) -> Bool {
        failures += 1
        // Of one that is out, only a trial tells something new; what had begun before says what is known.
        let isDue = ejection.map { $0.until != nil && isTrial(admission) } ?? (failures >= Self.failuresToOut)
        guard isDue else { return false }
        ejection = Ejection(cause: cause, since: ejection?.since ?? now, until: now + nextEjection)
        nextEjection = min(nextEjection * 2, Self.longestEjection)
        return true
    }

    mutating func probed(_ verdict: Verdict, at now: NIODeadline) {
        guard verdict == .bad else {
            badProbes = 0
            let isOver = verdict == .good ? ejection?.cause != .replies : ejection?.cause == .probes
            if isOver { readmit() }
            return
        }
        badProbes += 1
        guard badProbes >= Self.badProbesToOut else { return }
        ejection = Ejection(cause: .probes, since: ejection?.since ?? now, until: nil)
    }

    /// Back after a probe, but on probation: its ejections go on growing until a request has succeeded.
    private mutating func readmit() {
        if ejection == nil { return }
        ejection = nil
        trial = nil
        failures = min(failures, Self.failuresToOut - 1)
    }

    private func isTrial(_ admission: Admission) -> Bool { trial.map { admission == .trial($0) } ?? false }
}
