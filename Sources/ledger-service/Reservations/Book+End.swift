import SharedProtocol

extension Book {
    /// Gives a reservation back. Nothing about it is durable yet, so neither is this.
    ///
    /// - Returns: the reservation; nil if there is none.
    mutating func void(_ request: RequestID, at now: Timestamp) -> Result<Reservation?, CallError> {
        if let reservation = reservations[request] {
            guard !reservation.isSettling else { return .failure(Self.isBilled) }
            release(request, reservation, as: .voided, at: now)
            return .success(reservation)
        }
        if case .billed = ended[request] { return .failure(Self.isBilled) }
        let waiter = leaveLines(request)
        if waiter != nil { decided.append(request) }
        // Also of a request that is unknown: its reserve may still be on its way.
        ended.record(.voided, of: request)
        if let waiter { serveLines(of: waiter.pools, at: now) }
        return .success(nil)
    }

    /// Whether a ledger that starts anew would know that this owner lives.
    func knows(_ owner: InstanceID) -> Bool { savedOwners.contains(owner) }

    /// Keeps an owner's reservations alive and notes how far they have come.
    mutating func renew(_ call: Ledger.Renew, at moment: Moment) {
        if leases.renew(call.owner, at: moment.uptime) { unsaved.areOwnersBehind = true }
        for progress in call.progress where reservations[progress.request]?.owner == call.owner {
            note(progress)
        }
        if call.isLeaving == true { leave(call.owner, at: moment.uptime) }
    }

    /// An owner that has nothing left is not waited for after a restart; else its lease ends now.
    private mutating func leave(_ owner: InstanceID, at uptime: Int64) {
        leases.end(owner, at: uptime)
        guard !reservations.values.contains(where: { $0.owner == owner }) else { return }
        leases.remove(owner)
        unsaved.areOwnersBehind = true
    }

    private mutating func note(_ progress: Ledger.Progress) {
        guard let reservation = reservations[progress.request], reservation.progress != progress else { return }
        reservations[progress.request]?.progress = progress
        if reservation.isStored { unsaved.reservations.insert(progress.request) }
    }

    /// Takes up all that an owner says it has reserved, with what its pools can still give, and gives back what was taken
    /// up from the database and is not said.
    mutating func assert(_ call: Ledger.Assert, at moment: Moment) {
        if leases.renew(call.owner, at: moment.uptime) { unsaved.areOwnersBehind = true }
        let named = Set(call.reservations.map(\.reserve.request))
        for (request, reservation) in reservations
        where reservation.owner == call.owner && reservation.isUnconfirmed && !named.contains(request) {
            if !reservation.isSettling { release(request, reservation, as: nil, at: moment.wall) }
        }
        for assertion in call.reservations {
            let request = assertion.reserve.request
            if reservations[request] == nil, answer(to: request) == nil { restore(assertion, at: moment.wall) }
            reservations[request]?.isUnconfirmed = false
            if assertion.progress.completion > 0 { note(assertion.progress) }
        }
    }

    private mutating func restore(_ assertion: Ledger.Assertion, at now: Timestamp) {
        let reserve = assertion.reserve
        let access = access(
            for: reserve.account, model: reserve.model, key: reserve.key, keyCap: reserve.keyCap)
        if let access { touch(access, of: reserve.account, at: now) }
        let (holds, allowance) = hold(upTo: assertion.grant.reserved, of: access)
        reservations[reserve.request] = Reservation(
            owner: reserve.owner,
            bill: Bill(
                account: reserve.account, key: reserve.key, source: reserve.source, model: reserve.model,
                group: access?.entry.group, price: budgets.price(of: reserve.model)),
            holds: holds, allowance: allowance, grant: assertion.grant, started: now)
        unsaved.young.append((reserve.request, uptime))
    }

    /// What all of the pools can give at once; nil when none of them is limited.
    func room(of access: Access?) -> TokenCount? {
        access?.limits.compactMap { limit in
            pools[limit.pool].flatMap { $0.terms?.max == nil ? nil : $0.balance }
        }.min()
    }

    /// Takes as much as every pool can give, the same of each.
    mutating func hold(upTo tokens: TokenCount, of access: Access?) -> ([Reservation.Hold], allowance: TokenCount) {
        guard let access else { return ([], 0) }
        let allowance = min(tokens, room(of: access) ?? tokens)
        return (access.limits.map { hold(allowance, of: $0.pool) }, allowance)
    }

    /// Ends what silent owners left behind: what nobody used goes back at once.
    ///
    /// - Returns: posts for what was used, to be committed.
    mutating func endLeases(at moment: Moment) -> [Ledger.Post] {
        let silent = leases.expired(at: moment.uptime)
        guard !silent.isEmpty else { return [] }
        for (request, waiter) in waiting where silent.contains(waiter.call.owner) {
            leaveLines(request)
            ended.record(.lost, of: request)
            decided.append(request)
            serveLines(of: waiter.pools, at: moment.wall)
        }
        var posts: [Ledger.Post] = []
        var finished = silent
        for (request, reservation) in reservations where silent.contains(reservation.owner) {
            if let post = reservation.postOfLost(at: moment.wall, request: request), !reservation.isSettling {
                posts.append(post)
            } else if !reservation.isSettling {
                release(request, reservation, as: .lost, at: moment.wall)
                continue
            }
            // The lease stays until the commit succeeded, so that one that fails is tried again.
            finished.remove(reservation.owner)
        }
        for owner in finished { leases.remove(owner) }
        if !finished.isEmpty { unsaved.areOwnersBehind = true }
        return posts
    }

    /// - Parameter end: nil: as if it had never been.
    mutating func release(
        _ request: RequestID, _ reservation: Reservation, as end: EndedRequests.End?, at now: Timestamp
    ) {
        forget(request, reservation)
        if let end { ended.record(end, of: request) }
        for hold in reservation.holds {
            bringUp(hold.pool, reservation.bill, to: now)
            pools[hold.pool]?.settle(held: hold.tokens, charged: 0)
            // Its row may still say that these tokens are held.
            if hold.tokens > 0 { unsaved.pools.insert(hold.pool) }
        }
        serveLines(of: reservation.holds.map(\.pool), at: now)
    }

    /// Takes a reservation off the list; its row goes with the next commit.
    mutating func forget(_ request: RequestID, _ reservation: Reservation) {
        reservations[request] = nil
        unsaved.reservations.remove(request)
        if reservation.isStored { unsaved.goneReservations.insert(request) }
    }

    static let isBilled = CallError(.refused, "The request has been billed.")
}
