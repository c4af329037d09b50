import SharedProtocol

/// What a transaction's operations come to.
extension Slice {
    struct Result {
        /// In the operations' order.
        var outcomes: [SharedOperation.Outcome]
        var commit: Commit
        /// Requests that ended without a usage event.
        var ends: [RequestID: EndedRequests.End] = [:]
    }

    /// Takes the steps: first what gives tokens back, then what takes them, each in the order of arrival.
    mutating func perform(_ operations: [SharedOperation]) -> Result {
        book.uptime = moment.uptime
        var outcomes: [Int: SharedOperation.Outcome] = [:]
        var ends: [RequestID: EndedRequests.End] = [:]
        for (index, operation) in operations.enumerated() {
            guard case .void(let request) = operation else { continue }
            let result = book.void(request, at: moment.wall)
            if case .success = result { ends[request] = .voided }
            outcomes[index] = .voided(result)
        }
        let commit = settle(operations, &outcomes, &ends)
        for (index, operation) in operations.enumerated() {
            switch operation {
            case .renew: outcomes[index] = .done(nil)
            case .reset(let target): outcomes[index] = .done(reset(target))
            case .reserve(let call, let mayWait):
                let outcome = book.reserve(call, at: moment, mayWait: mayWait)
                if case .decided(.refused(let refusal)) = outcome { ends[call.request] = .refused(refusal) }
                outcomes[index] = .decided(outcome)
            case .post, .void: break
            }
        }
        let all = operations.indices.map { outcomes[$0] ?? .failed(operations[$0], Book.hasEnded) }
        return Result(outcomes: all, commit: commit, ends: ends)
    }

    /// Bills what was posted, and what the dead left behind.
    private mutating func settle(
        _ operations: [SharedOperation], _ outcomes: inout [Int: SharedOperation.Outcome],
        _ ends: inout [RequestID: EndedRequests.End]
    ) -> Commit {
        var posts = operations.compactMap { if case .post(let post) = $0 { post } else { nil } }
        let posted = Set(posts.map(\.request))
        for request in lost where !posted.contains(request) {
            guard let reservation = book.reservations[request] else { continue }
            if let post = reservation.postOfLost(at: moment.wall, request: request) {
                posts.append(post)
            } else {
                book.release(request, reservation, as: .lost, at: moment.wall)
                ends[request] = .lost
            }
        }
        _ = book.prepareCommit(posts, recorded: recorded, at: moment.wall)
        let commit = book.concludeCommit(at: moment.wall)
        for (index, operation) in operations.enumerated() {
            guard case .post(let post) = operation else { continue }
            outcomes[index] = .billed(commit.answers[post.request] ?? .failure(Book.hasEnded))
        }
        return commit
    }

    private mutating func reset(_ target: Ledger.Reset.Target) -> CallError? {
        do throws(CallError) {
            try book.reset(target, at: moment.wall)
            return nil
        } catch {
            return error
        }
    }
}
