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
        let posts = Self.withoutWhatOwnersSayThemselves(posts)
        for post in posts where commit.answers[post.request] == nil {
            if leaveLines(post.request) != nil { decided.append(post.request) }
            if let answer = finalAnswer(to: post, recorded[post.request]) {
                commit.answers[post.request] = answer
                releaseAgain(post.request, answer, at: now)
            } else if reservations[post.request] == nil, post.usage.plausible.total > recorded[post.request]?.used ?? 0
            {
                reserveLate(post, recorded[post.request], in: &commit, at: now)
            }
        }
        for post in posts where commit.answers[post.request] == nil {
            settle(post, recorded[post.request], in: &commit, at: now)
        }
        addUnsaved(to: &commit)
        committing = commit
        return commit
    }

    /// Whether a request was reserved by this process, so that the journal cannot have anything of it.
    func isFresh(_ request: RequestID) -> Bool { reservations[request]?.isFresh == true }

    /// The commit is on disk.
    mutating func concludeCommit(at now: Timestamp) -> Commit {
        guard let commit = committing else { preconditionFailure("no commit was prepared") }
        committing = nil
        isStorageFailing = false
        if let owners = commit.owners { savedOwners = Set(owners) }
        for request in commit.reservations.keys { reservations[request]?.isStored = true }
        for settlement in commit.settlements {
            let isLost = settlement.usage.outcome == .lost
            reservations[settlement.request] = nil
            ended.record(isLost ? .lost : .billed(settlement.answer), of: settlement.request)
            for charge in settlement.charges {
                bringUp(charge.pool, settlement.bill, to: now)
                pools[charge.pool]?.settle(held: charge.held, charged: charge.charged, cut: charge.cut)
            }
        }
        // One that ended while its row was being written has one now.
        for request in commit.reservations.keys where reservations[request] == nil {
            unsaved.goneReservations.insert(request)
        }
        for (key, draft) in commit.pools { pools[key]?.markSaved(draft.unsaved) }
        serveLines(of: Array(commit.pools.keys), at: now)
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
            for hold in reservation.holds { pools[hold.pool]?.settle(held: hold.tokens, charged: 0) }
        }
        unsaved.pools.formUnion(commit.pools.keys)
        unsaved.reservations.formUnion(commit.reservations.keys.filter { reservations[$0] != nil })
        let settled = Set(commit.settlements.map(\.request))
        unsaved.goneReservations.formUnion(commit.goneReservations.subtracting(settled))
        unsaved.areBudgetsBehind = unsaved.areBudgetsBehind || commit.budgets != nil
        unsaved.areOwnersBehind = unsaved.areOwnersBehind || commit.owners != nil
    }

    /// What is behind on disk, as far as one transaction shall grow. Rows of reservations that are gone go all, so that
    /// what is stored as held is never more than what the stored pools have.
    private mutating func addUnsaved(to commit: inout Commit) {
        for request in unsaved.takeOld(at: uptime) where reservations[request]?.isStored == false {
            unsaved.reservations.insert(request)
        }
        for request in unsaved.reservations.prefix(Commit.mostUnsaved) {
            if let reservation = reservations[request], !reservation.isSettling {
                commit.reservations[request] = reservation
            }
            unsaved.reservations.remove(request)
        }
        commit.goneReservations.formUnion(unsaved.goneReservations)
        unsaved.goneReservations = []
        for key in unsaved.pools.prefix(Commit.mostUnsaved) where commit.pools[key] == nil {
            commit.pools[key] = pools[key]
        }
        unsaved.pools.subtract(commit.pools.keys)
        commit.budgets = unsaved.areBudgetsBehind ? budgets : nil
        unsaved.areBudgetsBehind = false
        commit.owners = unsaved.areOwnersBehind ? Array(leases.ends.keys) : nil
        unsaved.areOwnersBehind = false
    }

    private func finalAnswer(to post: Ledger.Post, _ recorded: Recorded?) -> Result<Ledger.Receipt, CallError>? {
        switch ended[post.request] {
        case .billed(let receipt): return .success(receipt)
        case .voided: return .failure(CallError(.refused, "The request has been voided."))
        case .refused, .lost, nil: break
        }
        guard let recorded else { return nil }
        let used = post.usage.plausible.total
        // What is known of a dead owner's progress is never too much.
        let isAnother = post.usage.outcome == .lost ? used > recorded.used : used != recorded.used
        return recorded.mayBeCorrected && isAnother ? nil : .success(recorded.receipt)
    }

    /// An owner that was taken for dead knows better what it used than its last progress.
    private static func withoutWhatOwnersSayThemselves(_ posts: [Ledger.Post]) -> [Ledger.Post] {
        guard posts.contains(where: { $0.usage.outcome == .lost }) else { return posts }
        let said = Set(posts.filter { $0.usage.outcome != .lost }.map(\.request))
        return posts.filter { $0.usage.outcome != .lost || !said.contains($0.request) }
    }

    /// A request that ended long ago, or before a restart, may have been reserved a second time: that was for nothing.
    private mutating func releaseAgain(
        _ request: RequestID, _ answer: Result<Ledger.Receipt, CallError>, at now: Timestamp
    ) {
        guard case .success(let receipt) = answer, let reservation = reservations[request] else { return }
        release(request, reservation, as: .billed(receipt), at: now)
    }

    /// Sets aside what a request used without a reservation, as far as the balances go.
    private mutating func reserveLate(
        _ post: Ledger.Post, _ recorded: Recorded?, in commit: inout Commit, at now: Timestamp
    ) {
        guard let access = access(for: post.account, model: post.model, key: post.key, keyCap: post.keyCap) else {
            return
        }
        touch(access, of: post.account, at: now)
        let used = post.usage.plausible.total - (recorded?.used ?? 0)
        let (holds, allowance) = hold(upTo: used, of: access)
        reservations[post.request] = Reservation(
            owner: InstanceID(""), bill: bill(post, access.entry.group), holds: holds, allowance: allowance,
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
        let billed =
            added.total < 0
            ? min(usage.total, first.billed) - first.billed : min(added.total, reservation?.allowance ?? 0)
        let receipt = Ledger.Receipt(
            billed: billed, writtenOff: added.total - billed, cost: bill.price.cost(of: usage) - first.cost)
        var settlement = Settlement(
            request: post.request, bill: bill, usage: added, receipt: receipt, answer: first + receipt,
            isCorrection: recorded != nil, charges: [])
        for hold in reservation?.holds ?? [] {
            bringUp(hold.pool, bill, to: now)
            settlement.charges.append(
                charge(hold.pool, held: hold.tokens, charged: min(max(0, billed), hold.tokens), in: &commit, at: now))
        }
        for payment in recorded?.payments ?? [] where billed < 0 && pools[payment.pool] != nil {
            bringUp(payment.pool, bill, to: now)
            let kept = min(payment.tokens, settlement.answer.billed)
            settlement.charges.append(
                charge(payment.pool, held: 0, charged: kept - payment.tokens, in: &commit, at: now))
        }
        reservations[post.request]?.isSettling = true
        if reservation?.isStored == true { commit.goneReservations.insert(post.request) }
        commit.settlements.append(settlement)
        commit.answers[post.request] = .success(settlement.answer)
    }

    /// Settles with the draft of a pool.
    private func charge(
        _ pool: PoolKey, held: TokenCount, charged: TokenCount, in commit: inout Commit, at now: Timestamp
    ) -> Settlement.Charge {
        let cut = commit.pools[pool, default: pools[pool] ?? Pool(id: 0, clock: now)]
            .settle(held: held, charged: charged)
        return Settlement.Charge(pool: pool, held: held, charged: charged, cut: cut)
    }

    private func bill(_ post: Ledger.Post, _ group: GroupName?) -> Bill {
        Bill(
            account: post.account, key: post.key, source: post.source, model: post.model, group: group,
            price: budgets.price(of: post.model))
    }
}
