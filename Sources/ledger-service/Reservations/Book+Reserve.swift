import SharedProtocol

extension Book {
    enum ReserveOutcome: Sendable, Equatable {
        case decided(Ledger.Decision)
        /// Asked again when `decided` names the request, or after `longestWait`.
        case waiting
        case failed(CallError)
    }

    /// How long a request waits for tokens that only other live requests hold.
    static let longestWait = Duration.seconds(2)

    /// Reserves, refuses, or puts the request in its pool's line. The same request again gets the same answer.
    mutating func reserve(_ call: Ledger.Reserve, at moment: Moment) -> ReserveOutcome {
        leases.renew(call.owner, at: moment.uptime)
        if let answer = answer(to: call.request) { return answer }
        guard !isStorageFailing else { return .failed(Self.storageIsFailing) }
        guard reservations.count < Self.mostReservations else { return .failed(Self.isBusy) }
        guard let demand = Demand(call) else {
            return .failed(CallError(.invalidParams, "A reservation's numbers cannot be negative."))
        }
        guard let (key, entry) = touchPool(for: call.account, model: call.model, at: moment.wall) else {
            return refuse(call.request, Self.noAccess)
        }
        let line = lines[key] ?? WaitingLine()
        let verdict = line.isEmpty || line.isFull ? verdict(demand, key, mayWait: !line.isFull) : .wait
        guard verdict != .wait else {
            lines[key, default: line].append(call)
            waiting[call.request] = key
            return .waiting
        }
        return carryOut(verdict, call, key, entry, at: moment.wall)
    }

    /// What a request was answered, if it was reserved, refused or ended before, or waits; nil: it is new.
    func answer(to request: RequestID) -> ReserveOutcome? {
        if committing?.answers[request] != nil { return .failed(Self.hasEnded) }
        if let reservation = reservations[request] { return .decided(.granted(reservation.grant)) }
        switch ended[request] {
        case .refused(let refusal): return .decided(.refused(refusal))
        case .billed, .voided, .lost: return .failed(Self.hasEnded)
        case nil: return waiting[request] == nil ? nil : .waiting
        }
    }

    /// Decides a request that waited long enough, with what there is.
    mutating func stopWaiting(_ request: RequestID, at now: Timestamp) {
        guard let key = waiting[request], let call = leaveLine(request) else { return }
        decide(call, at: now, line: nil)
        serveLine(of: key, at: now)
    }

    /// Serves those who wait for the pool, in their order, as far as its tokens go.
    mutating func serveLine(of key: PoolKey, at now: Timestamp) {
        while let call = lines[key]?.first, decide(call, at: now, line: key) { _ = leaveLine(call.request) }
    }

    /// Takes a waiting request out of its line.
    mutating func leaveLine(_ request: RequestID) -> Ledger.Reserve? {
        guard let key = waiting.removeValue(forKey: request) else { return nil }
        let call = lines[key]?.remove(request)
        if lines[key]?.isEmpty == true { lines[key] = nil }
        return call
    }

    /// - Parameter line: where the request may go on waiting. The budgets may have changed meanwhile, and with them its
    ///   pool: one does not wait twice.
    /// - Returns: whether the request is decided.
    @discardableResult
    private mutating func decide(_ call: Ledger.Reserve, at now: Timestamp, line: PoolKey?) -> Bool {
        guard let demand = Demand(call), let (key, entry) = touchPool(for: call.account, model: call.model, at: now)
        else {
            _ = refuse(call.request, Self.noAccess)
            decided.append(call.request)
            return true
        }
        let verdict = verdict(demand, key, mayWait: key == line)
        guard verdict != .wait else { return false }
        _ = carryOut(verdict, call, key, entry, at: now)
        decided.append(call.request)
        return true
    }

    private func verdict(_ demand: Demand, _ key: PoolKey, mayWait: Bool) -> Demand.Verdict {
        guard let pool = pools[key] else { return .refuse(Self.noAccess) }
        return demand.verdict(of: pool, mayWait: mayWait)
    }

    private mutating func carryOut(
        _ verdict: Demand.Verdict, _ call: Ledger.Reserve, _ key: PoolKey, _ entry: BudgetEntry, at now: Timestamp
    ) -> ReserveOutcome {
        switch verdict {
        case .wait:
            return .waiting
        case .refuse(let refusal):
            return refuse(call.request, refusal)
        case .grant(let grant, let held, let allowance):
            pools[key]?.hold(held)
            reservations[call.request] = Reservation(
                owner: call.owner,
                bill: Bill(
                    account: call.account, key: call.key, source: call.source, model: call.model, group: entry.group,
                    price: price(of: call.model)),
                pool: key, held: held, allowance: allowance, grant: grant, started: now)
            return .decided(.granted(grant))
        }
    }

    private mutating func refuse(_ request: RequestID, _ refusal: Ledger.Refusal) -> ReserveOutcome {
        ended.record(.refused(refusal), of: request)
        return .decided(.refused(refusal))
    }

    static let noAccess = Ledger.Refusal(reason: .noAccess, limitedBy: .user, remaining: 0, retryAfterMs: nil)
    static let hasEnded = CallError(.refused, "The request has already ended.")
    static let isBusy = CallError(.busy, "Too many requests are running.", retryAfterMs: 1000)
    static let storageIsFailing = CallError(
        .storageFailed, "The ledger cannot write to its database.", retryAfterMs: 1000)
}
