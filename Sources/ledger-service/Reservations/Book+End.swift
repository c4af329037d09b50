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
        let line = waiting[request]
        if leaveLine(request) != nil { decided.append(request) }
        // Also of a request that is unknown: its reserve may still be on its way.
        ended.record(.voided, of: request)
        if let line { serveLine(of: line, at: now) }
        return .success(nil)
    }

    /// Keeps an owner's reservations alive and notes how far they have come.
    mutating func renew(_ call: Ledger.Renew, at moment: Moment) {
        leases.renew(call.owner, at: moment.uptime)
        for progress in call.progress where reservations[progress.request]?.owner == call.owner {
            reservations[progress.request]?.progress = progress
        }
    }

    /// Ends what silent owners left behind: what nobody used goes back at once.
    ///
    /// - Returns: posts for what was used, to be committed.
    mutating func endLeases(at moment: Moment) -> [Ledger.Post] {
        let silent = leases.expired(at: moment.uptime)
        guard !silent.isEmpty else { return [] }
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
        return posts
    }

    mutating func release(
        _ request: RequestID, _ reservation: Reservation, as end: EndedRequests.End, at now: Timestamp
    ) {
        reservations[request] = nil
        ended.record(end, of: request)
        bringUp(reservation.pool, reservation.bill, to: now)
        pools[reservation.pool]?.settle(held: reservation.held, charged: 0)
        serveLine(of: reservation.pool, at: now)
    }

    static let isBilled = CallError(.refused, "The request has been billed.")
}
