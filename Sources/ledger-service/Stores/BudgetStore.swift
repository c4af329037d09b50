import SharedProtocol
import Storage

/// The rows of budgets: what groups gave last and since when, what admins set for groups and users, and when something
/// changed.
enum BudgetStore {
    /// Replaces all of them: they are few, and change seldom.
    static func write(_ budgets: Budgets, _ connection: any SQLConnection) throws {
        for table in ["budgets", "overrides", "group_budgets", "budget_changes"] {
            try connection.execute("DELETE FROM \(table)")
        }
        for (key, clock) in budgets.clocks {
            try connection.execute(
                "INSERT INTO budgets (group_name, pool, max, refresh, starting, since) VALUES (?, ?, ?, ?, ?, ?)",
                [key.group.rawValue, key.pool.rawValue] + values(clock))
        }
        for (user, clocks) in budgets.overrides {
            for (pool, clock) in clocks {
                try connection.execute(
                    "INSERT INTO overrides (user_id, pool, max, refresh, starting, since) VALUES (?, ?, ?, ?, ?, ?)",
                    [user.rawValue, pool.rawValue] + values(clock))
            }
        }
        for group in budgets.panel.values {
            for (pool, budget) in group.budgetsByPool {
                try connection.execute(
                    "INSERT INTO group_budgets (group_name, pool, max, refresh, starting) VALUES (?, ?, ?, ?, ?)",
                    [group.name.rawValue, pool.rawValue] + values(budget))
            }
        }
        for (number, time) in budgets.changes.enumerated() {
            try connection.execute(
                "INSERT INTO budget_changes (number, time) VALUES (?, ?)", [number, time.rawValue])
        }
    }

    static func load(_ connection: any SQLConnection) throws -> Budgets {
        var clocks: [Budgets.Key: Budgets.Clock] = [:]
        for row in try connection.rows("SELECT max, refresh, starting, since, group_name, pool FROM budgets") {
            clocks[Budgets.Key(group: GroupName(row[4] as String), pool: PoolName(row[5] as String))] = clock(row)
        }
        var overrides: [UserID: [PoolName: Budgets.Clock]] = [:]
        for row in try connection.rows("SELECT max, refresh, starting, since, user_id, pool FROM overrides") {
            overrides[UserID(row[4]), default: [:]][PoolName(row[5] as String)] = clock(row)
        }
        var panel: [GroupName: GroupConfiguration] = [:]
        for row in try connection.rows("SELECT max, refresh, starting, group_name, pool FROM group_budgets") {
            let name = GroupName(row[3] as String)
            let entry = PoolName(row[4] as String).groupEntry
            panel[name, default: GroupConfiguration(name: name)][entry] = budget(row)
        }
        let changes = try connection.rows("SELECT time FROM budget_changes ORDER BY number")
        return Budgets(
            clocks: clocks, overrides: overrides, panel: panel, changes: changes.map { Timestamp($0[0]) })
    }

    private static func values(_ clock: Budgets.Clock) -> [any SQLConvertible] {
        values(clock.budget) + [clock.since.rawValue]
    }

    private static func values(_ budget: Budget) -> [any SQLConvertible] {
        [budget.max.tokens?.rawValue, budget.refresh.rawValue, budget.starting.rawValue]
    }

    private static func clock(_ row: SQLRow) -> Budgets.Clock {
        Budgets.Clock(budget: budget(row), since: Timestamp(row[3]))
    }

    private static func budget(_ row: SQLRow) -> Budget {
        let max = (row[0] as Int64?).map { Budget.Limit.tokens(TokenCount($0)) } ?? .unlimited
        return Budget(max: max, refresh: TokenCount(row[1]), starting: TokenCount(row[2]))
    }
}
