import SharedProtocol

/// Posts take effect in three steps. `prepareCommit` works out what they come to, on drafts of the pools; the journal
/// writes that; `concludeCommit` does it, or `abandonCommit` leaves everything as it was. Requests go on being reserved
/// in between, from what nobody has posted yet.
extension Book {
    /// - Parameter recorded: what the journal has of these requests.
    mutating func prepareCommit(
        _ posts: [Ledger.Post], recorded: [RequestID: Recorded], at now: Timestamp
    ) -> Commit {
        precondition(committing == nil, "there is one commit at a time")
        var commit = Commit()
        for post in posts where commit.answers[post.request] == nil {
            if leaveLine(post.request) != nil { decided.append(post.request) }
            if let answer = finalAnswer(to: post, recorded[post.request]) {
                commit.answers[post.request] = answer
                releaseAgain(post.request, answer, at: now)
            } else if reservations[post.request] == nil {
                reserveLate(post, recorded[post.request], in: &commit, at: now)
            }
        }
        for post in posts where commit.answers[post.request] == nil {
            settle(post, recorded[post.request], in: &commit, at: now)
        }
        for key in unsavedPools.prefix(Commit.mostUnsavedPools) where commit.pools[key] == nil {
            commit.pools[key] = pools[key]
        }
        unsavedPools.subtract(commit.pools.keys)
        commit.clocks = areClocksUnsaved ? clocks : nil
        areClocksUnsaved = false
        committing = commit
        return commit
    }

    /// The commit is on disk.
    mutating func concludeCommit(at now: Timestamp) -> Commit {
        guard let commit = committing else { preconditionFailure("no commit was prepared") }
        committing = nil
        isStorageFailing = false
        for settlement in commit.settlements {
            reservations[settlement.request] = nil
            let isLost = settlement.usage.outcome == .lost
            ended.record(isLost ? .lost : .billed(settlement.answer), of: settlement.request)
            guard let key = settlement.pool else { continue }
            bringUp(key, settlement.bill, to: now)
            pools[key]?.settle(held: settlement.held, charged: settlement.charged, cut: settlement.cut)
        }
        for (key, draft) in commit.pools { pools[key]?.markSaved(draft.unsaved) }
        for key in commit.pools.keys { serveLine(of: key, at: now) }
        return commit
    }

    /// The commit failed: nothing of it happened.
    mutating func abandonCommit() {
        isStorageFailing = true
        guard let commit = committing else { return }
        committing = nil
        for settlement in commit.settlements { reservations[settlement.request]?.isSettling = false }
        for request in commit.late {
            guard let reservation = reservations.removeValue(forKey: request) else { continue }
            pools[reservation.pool]?.settle(held: reservation.held, charged: 0)
        }
        unsavedPools.formUnion(commit.pools.keys)
        areClocksUnsaved = areClocksUnsaved || commit.clocks != nil
    }

    private func finalAnswer(to post: Ledger.Post, _ recorded: Recorded?) -> Result<Ledger.Receipt, CallError>? {
        switch ended[post.request] {
        case .billed(let receipt): return .success(receipt)
        case .voided: return .failure(CallError(.refused, "The request has been voided."))
        case .refused, .lost, nil: break
        }
        guard let recorded else { return nil }
        let isMore = post.usage.plausible.total > recorded.prompt + recorded.completion
        return recorded.mayBeCorrected && isMore ? nil : .success(recorded.receipt)
    }

    /// A request that ended long ago, or before a restart, may have been reserved a second time: that was for nothing.
    private mutating func releaseAgain(
        _ request: RequestID, _ answer: Result<Ledger.Receipt, CallError>, at now: Timestamp
    ) {
        guard case .success(let receipt) = answer, let reservation = reservations[request] else { return }
        release(request, reservation, as: .billed(receipt), at: now)
    }

    /// Sets aside what a request used without a reservation, as far as the balance goes.
    private mutating func reserveLate(
        _ post: Ledger.Post, _ recorded: Recorded?, in commit: inout Commit, at now: Timestamp
    ) {
        guard let (key, entry) = touchPool(for: post.account, model: post.model, at: now), let pool = pools[key] else {
            return
        }
        let used = post.usage.plausible.total - (recorded.map { $0.prompt + $0.completion } ?? 0)
        let isLimited = pool.terms?.max != nil
        let held = isLimited ? min(used, pool.balance) : 0
        let allowance = isLimited ? held : used
        pools[key]?.hold(held)
        reservations[post.request] = Reservation(
            owner: InstanceID(""), bill: bill(post, entry.group), pool: key, held: held, allowance: allowance,
            grant: Ledger.Grant(reserved: allowance, outputLimit: 0), started: post.usage.started)
        commit.late.append(post.request)
    }

    private mutating func settle(
        _ post: Ledger.Post, _ recorded: Recorded?, in commit: inout Commit, at now: Timestamp
    ) {
        let reservation = reservations[post.request]
        let bill = reservation?.bill ?? bill(post, nil)
        let usage = post.usage.plausible
        let first = recorded?.receipt ?? Ledger.Receipt(billed: 0, writtenOff: 0, cost: 0)
        var added = usage
        if let recorded {
            added.prompt -= recorded.prompt
            added.completion -= recorded.completion
        }
        let billed = min(added.total, reservation?.allowance ?? 0)
        let receipt = Ledger.Receipt(
            billed: billed, writtenOff: added.total - billed, cost: bill.price.cost(of: usage) - first.cost)
        var settlement = Settlement(
            request: post.request, bill: bill, usage: added, receipt: receipt, answer: first + receipt,
            isCorrection: recorded != nil,
            pool: reservation?.pool, held: reservation?.held ?? 0, charged: min(billed, reservation?.held ?? 0), cut: 0)
        if let key = reservation?.pool {
            bringUp(key, bill, to: now)
            settlement.cut =
                commit.pools[key, default: pools[key] ?? Pool(id: 0, clock: now)]
                .settle(held: settlement.held, charged: settlement.charged)
        }
        reservations[post.request]?.isSettling = true
        commit.settlements.append(settlement)
        commit.answers[post.request] = .success(settlement.answer)
    }

    private func bill(_ post: Ledger.Post, _ group: GroupName?) -> Bill {
        Bill(
            account: post.account, key: post.key, source: post.source, model: post.model, group: group,
            price: price(of: post.model))
    }
}
