import SharedProtocol
import Storage

/// What the journal writes, and what a ledger takes up when it starts, in SQL.
enum JournalStore {
    static func write(_ commit: Commit, at now: Timestamp, _ connection: any SQLConnection) throws {
        let day = Today.day(of: now)
        for (key, pool) in commit.pools { try PoolStore.write(pool, key, at: now, connection) }
        for settlement in commit.settlements {
            try UsageEventStore.insert(settlement, at: now, on: day, connection)
            for charge in settlement.charges where charge.charged != 0 {
                guard let pool = commit.pools[charge.pool] else { continue }
                try connection.execute(
                    "INSERT INTO entries (pool_id, time, kind, tokens, request) VALUES (?, ?, 'post', ?, ?)",
                    [pool.id, now.rawValue, -charge.charged.rawValue, settlement.request.rawValue])
            }
            try UsageEventStore.notePayments(
                for: settlement, on: day, connection, id: { commit.pools[$0]?.id })
        }
        try UsageSumStore.add(commit.settlements, on: day, connection)
        for request in commit.goneReservations {
            try connection.execute("DELETE FROM reservations WHERE request = ?", [request.rawValue])
        }
        for (request, reservation) in commit.reservations {
            try ReservationStore.write(reservation, of: request, connection)
        }
        if let budgets = commit.budgets { try BudgetStore.write(budgets, connection) }
        if let owners = commit.owners { try ReservationStore.write(owners, connection) }
    }

    /// The ledger's state as it was last written.
    struct Stored: Sendable {
        var budgets: Budgets
        var pools: [PoolKey: Pool]
        var reservations: [RequestID: Reservation]
        var owners: [InstanceID]
    }

    static func load(_ connection: any SQLConnection) throws -> Stored {
        Stored(
            budgets: try BudgetStore.load(connection), pools: try PoolStore.load(connection),
            reservations: try ReservationStore.load(connection), owners: try ReservationStore.owners(connection))
    }
}
