import SharedProtocol
import Storage

/// The rows that one transaction is about, locked: reservations by request, then pools by id, which is the order that every
/// transaction keeps to. A `Book` takes the steps, and `write` puts down what came of them.
struct Slice {
    var book: Book
    let moment: Moment
    /// As they were read.
    private(set) var storedPools: [PoolKey: Pool] = [:]
    private(set) var storedReservations: Set<RequestID> = []
    private(set) var recorded: [RequestID: Recorded] = [:]
    /// Of owners whose lease has run out.
    private(set) var lost: [RequestID] = []
    private var wanted: Set<PoolKey> = []
    /// When the clocks of pools that begin now started.
    private var beginnings: [PoolKey: Timestamp] = [:]

    /// Reservations of dead owners that one transaction ends.
    private static let mostLost = 500

    init(
        _ operations: [SharedOperation], _ budgets: Budgets, at moment: Moment, endingLeases: Bool,
        _ connection: any SQLConnection
    ) throws {
        self.moment = moment
        book = Book(budgets: budgets)
        let requests = SQLArray(Set(operations.compactMap(\.request)).map(\.rawValue))
        if endingLeases { try loadLost(connection) }
        try loadReservations(requests, connection)
        try loadEnds(requests, connection)
        for operation in operations { notePools(of: operation) }
        for reservation in book.reservations.values {
            wanted.formUnion(reservation.holds.map(\.pool))
        }
        try lockPools(connection)
    }

    private mutating func loadLost(_ connection: any SQLConnection) throws {
        let rows = try connection.rows(
            """
            SELECT request, prompt, completion, body FROM reservations JOIN owners ON instance = owner
            WHERE lease_until < ? ORDER BY request LIMIT ? FOR UPDATE
            """, [moment.uptime, Self.mostLost])
        for row in rows { lost.append(try take(row)) }
    }

    private mutating func loadReservations(_ requests: SQLArray, _ connection: any SQLConnection) throws {
        guard !requests.isEmpty else { return }
        let rows = try connection.rows(
            """
            SELECT request, prompt, completion, body FROM reservations
            WHERE request = ANY(?::text[]) ORDER BY request FOR UPDATE
            """, [requests])
        for row in rows { _ = try take(row) }
    }

    private mutating func take(_ row: SQLRow) throws -> RequestID {
        var (request, reservation) = try ReservationStore.reservation(row)
        reservation.isStored = true
        book.reservations[request] = reservation
        storedReservations.insert(request)
        return request
    }

    private mutating func loadEnds(_ requests: SQLArray, _ connection: any SQLConnection) throws {
        guard !requests.isEmpty else { return }
        let events = try connection.rows(
            "SELECT \(UsageEventStore.recordedColumns) FROM usage_events WHERE request = ANY(?::text[]) ORDER BY id",
            [requests])
        for row in events { UsageEventStore.note(row, in: &recorded) }
        try UsageEventStore.addPayments(to: &recorded, connection)
        for payment in recorded.values.flatMap(\.payments) { wanted.insert(payment.pool) }
        for (request, recorded) in recorded {
            book.ended.record(recorded.mayBeCorrected ? .lost : .billed(recorded.receipt), of: request)
        }
        let ends = try connection.rows("SELECT request, body FROM ended WHERE request = ANY(?::text[])", [requests])
        for row in ends { book.ended.record(try EndStore.decode(row[1]), of: RequestID(row[0] as String)) }
    }

    private mutating func notePools(of operation: SharedOperation) {
        switch operation {
        case .reserve(let call, _):
            note(
                book.access(for: call.account, model: call.model, key: call.key, keyCap: call.keyCap), call.account)
        case .post(let post) where book.reservations[post.request] == nil:
            note(
                book.access(for: post.account, model: post.model, key: post.key, keyCap: post.keyCap), post.account)
        case .reset(let target):
            if let limit = book.limit(target) { wanted.insert(limit.pool) }
        case .post, .void, .renew: break
        }
    }

    private mutating func note(_ access: Access?, _ account: Ledger.Account) {
        guard let access else { return }
        for limit in access.limits {
            wanted.insert(limit.pool)
            beginnings[limit.pool] = book.budgets.clockStart(of: limit, access.entry, account, at: moment.wall)
        }
    }

    /// Locks the pools, making those that are not there. They are made in the order of their names, and each was either
    /// locked before or is nobody else's yet, so that no two transactions wait for each other.
    private mutating func lockPools(_ connection: any SQLConnection) throws {
        var missing = wanted
        try lock(&missing, connection)
        let new = beginnings.filter { missing.contains($0.key) }
        guard !new.isEmpty else { return }
        try connection.execute(
            """
            INSERT INTO pools (holder, name, balance, reserved, has_started, accrued_until, remainder)
            SELECT holder, name, 0, 0, 0, since, 0
            FROM jsonb_to_recordset(?::jsonb) AS rows (holder TEXT, name TEXT, since BIGINT) ORDER BY holder, name
            ON CONFLICT (holder, name) DO NOTHING
            """,
            rows: new.map { Beginning(holder: $0.holder.rawValue, name: $0.name.rawValue, since: $1.rawValue) })
        try lock(&missing, connection)
    }

    private struct Beginning: Encodable {
        var holder: String
        var name: String
        var since: Int64
    }

    private mutating func lock(_ keys: inout Set<PoolKey>, _ connection: any SQLConnection) throws {
        guard !keys.isEmpty else { return }
        let wanted = Array(keys)
        let rows = try connection.rows(
            """
            SELECT \(PoolStore.columns) FROM pools
            JOIN unnest(?::text[], ?::text[]) AS wanted (wanted_holder, wanted_name)
                ON holder = wanted_holder AND name = wanted_name
            ORDER BY id FOR UPDATE OF pools
            """, [SQLArray(wanted.map(\.holder.rawValue)), SQLArray(wanted.map(\.name.rawValue))])
        for row in rows {
            let (key, pool) = try PoolStore.pool(row)
            book.pools[key] = pool
            storedPools[key] = pool
            keys.remove(key)
        }
    }
}

/// A PostgreSQL array of text, as a value of a statement.
struct SQLArray: SQLConvertible {
    let sqlValue: SQLValue
    let isEmpty: Bool

    init(_ texts: [String]) {
        let quoted = texts.map { text in
            "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
        }
        sqlValue = .text("{" + quoted.joined(separator: ",") + "}")
        isEmpty = texts.isEmpty
    }

    init?(_ value: SQLValue) { nil }
}
