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

    /// Reserves of all pools that the request draws from, or refuses, or puts it in their lines. The same request again gets
    /// the same answer.
    mutating func reserve(_ call: Ledger.Reserve, at moment: Moment, mayWait: Bool = true) -> ReserveOutcome {
        if leases.renew(call.owner, at: moment.uptime) { unsaved.areOwnersBehind = true }
        if let answer = answer(to: call.request) { return answer }
        guard !isStorageFailing else { return .failed(Self.storageIsFailing) }
        guard reservations.count < Self.mostReservations else { return .failed(Self.isBusy) }
        guard let demand = Demand(call) else {
            return .failed(CallError(.invalidParams, "A reservation's numbers cannot be negative."))
        }
        guard let access = access(of: call) else { return refuse(call.request, Self.noAccess) }
        touch(access, of: call.account, at: moment.wall)
        let keys = access.limits.map(\.pool)
        let isLineFull = keys.contains { lines[$0]?.isFull == true }
        let isBehindOthers = keys.contains { lines[$0]?.isEmpty == false }
        let verdict =
            isBehindOthers && !isLineFull && mayWait
            ? .wait : verdict(demand, keys, mayWait: mayWait && !isLineFull)
        guard verdict != .wait else {
            for key in keys { lines[key, default: WaitingLine()].append(call.request) }
            waiting[call.request] = Waiter(call: call, pools: keys)
            return .waiting
        }
        return carryOut(verdict, call, access, at: moment.wall)
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
        guard let waiter = leaveLines(request) else { return }
        decide(waiter, mayWait: false, at: now)
        serveLines(of: waiter.pools, at: now)
    }

    /// Serves those who wait for the pools, in their order, as far as the tokens go. A request is served when it is the
    /// first in each of its lines, so that the oldest of all is never overtaken.
    mutating func serveLines(of keys: [PoolKey], at now: Timestamp) {
        guard !lines.isEmpty else { return }
        var due = keys
        while let key = due.popLast() {
            guard let request = lines[key]?.first, let waiter = waiting[request],
                waiter.pools.allSatisfy({ lines[$0]?.first == request }), decide(waiter, mayWait: true, at: now)
            else { continue }
            leaveLines(request)
            due += waiter.pools
        }
    }

    /// Takes a waiting request out of its lines.
    @discardableResult
    mutating func leaveLines(_ request: RequestID) -> Waiter? {
        guard let waiter = waiting.removeValue(forKey: request) else { return nil }
        for key in waiter.pools {
            lines[key]?.remove(request)
            if lines[key]?.isEmpty == true { lines[key] = nil }
        }
        return waiter
    }

    private func access(of call: Ledger.Reserve) -> Access? {
        access(for: call.account, model: call.model, key: call.key, keyCap: call.keyCap)
    }

    /// The budgets may have changed while it waited, and with them its pools: one does not wait twice.
    ///
    /// - Returns: whether the request is decided.
    @discardableResult
    private mutating func decide(_ waiter: Waiter, mayWait: Bool, at now: Timestamp) -> Bool {
        let call = waiter.call
        guard let demand = Demand(call), let access = access(of: call) else {
            _ = refuse(call.request, Self.noAccess)
            decided.append(call.request)
            return true
        }
        touch(access, of: call.account, at: now)
        let keys = access.limits.map(\.pool)
        let verdict = verdict(demand, keys, mayWait: mayWait && keys == waiter.pools)
        guard verdict != .wait else { return false }
        _ = carryOut(verdict, call, access, at: now)
        decided.append(call.request)
        return true
    }

    private func verdict(_ demand: Demand, _ keys: [PoolKey], mayWait: Bool) -> Demand.Verdict {
        demand.verdict(of: keys.compactMap { key in pools[key].map { (key, $0) } }, mayWait: mayWait)
    }

    private mutating func carryOut(
        _ verdict: Demand.Verdict, _ call: Ledger.Reserve, _ access: Access, at now: Timestamp
    ) -> ReserveOutcome {
        switch verdict {
        case .wait:
            return .waiting
        case .refuse(let refusal):
            return refuse(call.request, refusal)
        case .grant(let grant):
            let holds = access.limits.map { hold(grant.reserved, of: $0.pool) }
            let bill = Bill(
                account: call.account, key: call.key, source: call.source, model: call.model,
                group: access.entry.group, price: budgets.price(of: call.model))
            var reservation = Reservation(
                owner: call.owner, bill: bill, holds: holds, allowance: grant.reserved, grant: grant, started: now)
            reservation.isFresh = true
            reservations[call.request] = reservation
            unsaved.young.append((call.request, uptime))
            return .decided(.granted(grant))
        }
    }

    /// Takes tokens of a pool's balance; none when the pool is unlimited.
    mutating func hold(_ tokens: TokenCount, of key: PoolKey) -> Reservation.Hold {
        guard pools[key]?.terms?.max != nil else { return Reservation.Hold(pool: key, tokens: 0) }
        pools[key]?.hold(tokens)
        return Reservation.Hold(pool: key, tokens: tokens)
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
