import SharedProtocol
import Storage
import Synchronization

/// The budgets as this ledger last read them. A number in the database grows with every change that any ledger makes.
struct SharedBudgets: Sendable {
    private var revision: Int64 = 0
    private(set) var budgets = Budgets()

    mutating func use(_ groups: [GroupName: GroupConfiguration], _ models: [ModelConfiguration]) {
        budgets.use(groups, models)
    }

    /// The moment by the database's clock, with the budgets read anew if they changed.
    mutating func bringUp(_ connection: any SQLConnection) throws -> Moment {
        let row = try connection.row(
            """
            SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT), revision FROM budget_revision
            """)
        guard let row else { throw CallError(.storageFailed, "The ledger's tables are incomplete.") }
        if row[1] as Int64 != revision {
            revision = row[1]
            var stored = try BudgetStore.load(connection)
            stored.use(budgets.file, budgets.models)
            budgets = stored
        }
        return Moment(wall: Timestamp(row[0]), uptime: row[0])
    }

    /// Takes over what another copy has read, under the file's groups that hold here.
    mutating func adopt(_ other: SharedBudgets) {
        guard other.revision > revision else { return }
        let (file, models) = (budgets.file, budgets.models)
        self = other
        use(file, models)
    }

    /// Makes a change, alone among all ledgers, and has all of them see it.
    mutating func change(
        at clock: (@Sendable () -> Moment)?, _ connection: any SQLConnection,
        _ body: (inout Budgets, Timestamp) throws -> Bool
    ) throws {
        _ = try connection.rows("SELECT revision FROM budget_revision FOR UPDATE")
        let moment = try bringUp(connection)
        guard try body(&budgets, (clock?() ?? moment).wall) else { return }
        try BudgetStore.write(budgets, connection)
        try connection.execute("UPDATE budget_revision SET revision = revision + 1")
        revision += 1
    }
}

/// What the transactions of one ledger have read of the budgets. The lock is never held while the database is asked.
final class BudgetCache: Sendable {
    private let state = Mutex(SharedBudgets())
    private let clock: (@Sendable () -> Moment)?

    /// - Parameter clock: instead of the database's.
    init(clock: (@Sendable () -> Moment)?) { self.clock = clock }

    private var copy: SharedBudgets { state.withLock { $0 } }

    func use(_ groups: [GroupName: GroupConfiguration], _ models: [ModelConfiguration]) {
        state.withLock { $0.use(groups, models) }
    }

    /// Makes a change of the budgets, alone among all ledgers. On a copy: what does not commit has not happened.
    func change(_ connection: any SQLConnection, _ body: (inout Budgets, Timestamp) throws -> Bool) throws {
        var changed = copy
        try changed.change(at: clock, connection, body)
    }

    /// The database's moment, and the budgets in force.
    func bringUp(_ connection: any SQLConnection) throws -> (Moment, Budgets) {
        var current = copy
        let moment = try current.bringUp(connection)
        state.withLock { [current] in $0.adopt(current) }
        return (clock?() ?? moment, current.budgets)
    }
}
