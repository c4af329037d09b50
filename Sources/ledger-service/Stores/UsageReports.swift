import SharedProtocol
import Storage

/// Reports of usage, read from the running sums.
enum UsageReports {
    /// Both engines sum to an integer; PostgreSQL has to be told.
    private static let sums = ["requests", "prompt", "completion", "billed", "written_off", "cost"]
        .map { "CAST(coalesce(sum(\($0)), 0) AS BIGINT)" }.joined(separator: ", ")
    /// Days of one report.
    private static let mostDays = 400

    static func report(_ call: Ledger.Report, _ connection: any SQLConnection) throws -> Ledger.UsageReport {
        let scope = Scope(call)
        return Ledger.UsageReport(
            total: try connection.row("SELECT '', \(sums) FROM \(scope.table) WHERE \(scope.condition)", scope.values)
                .map { line($0).sum } ?? Ledger.UsageSum(),
            days: try lines(by: "day", scope, order: "day DESC LIMIT \(mostDays)", connection).reversed(),
            models: try lines(by: "model", scope, connection), groups: try lines(by: "group_name", scope, connection),
            sources: try lines(by: "source", scope, connection),
            keys: call.user == nil ? [] : try lines(by: "key_id", scope, connection),
            users: call.user == nil ? try users(call, connection) : [],
            firstMonth: try firstMonth(scope, connection))
    }

    /// Which rows a report sums.
    private struct Scope {
        var table: String
        var condition: String
        var values: [any SQLConvertible]
        var user: UserID?

        init(_ call: Ledger.Report) {
            user = call.user
            table = call.user == nil ? "usage_of_day" : "usage_of_user"
            condition = "day >= ? AND day < ?"
            values = [call.month.days.from, call.month.days.before]
            guard let user = call.user else { return }
            condition = "user_id = ? AND " + condition
            values.insert(user.rawValue, at: 0)
        }
    }

    private static func lines(
        by column: String, _ scope: Scope, order: String = "sum(prompt + completion) DESC",
        _ connection: any SQLConnection
    ) throws -> [Ledger.UsageLine] {
        try connection.rows(
            """
            SELECT \(column), \(sums) FROM \(scope.table) WHERE \(scope.condition)
            GROUP BY \(column) ORDER BY \(order)
            """, scope.values
        ).map(line)
    }

    /// The first row of an index.
    private static func firstMonth(_ scope: Scope, _ connection: any SQLConnection) throws -> Month? {
        let condition = scope.user == nil ? "" : " WHERE user_id = ?"
        let day: String? = try connection.value(
            "SELECT min(day) FROM \(scope.table)\(condition)", scope.user.map { [$0.rawValue] } ?? [])
        return day.map { CalendarDay(rawValue: $0).month }
    }

    /// Those who used most.
    private static func users(_ call: Ledger.Report, _ connection: any SQLConnection) throws -> [Ledger.UsageLine] {
        try connection.rows(
            """
            SELECT user_id, requests, prompt, completion, billed, written_off, cost FROM usage_of_month WHERE month = ?
            ORDER BY prompt + completion DESC, user_id LIMIT ?
            """, [call.month?.rawValue ?? UsageSumStore.always, call.users]
        ).map(line)
    }

    private static func line(_ row: SQLRow) -> Ledger.UsageLine {
        let name: String
        switch row[0] as SQLValue {
        case .text(let text): name = text
        case .integer(let number): name = number == 0 ? "" : String(number)
        case .null: name = ""
        }
        return Ledger.UsageLine(
            name: name,
            sum: Ledger.UsageSum(
                requests: row[1], prompt: TokenCount(row[2]), completion: TokenCount(row[3]),
                billed: TokenCount(row[4]), writtenOff: TokenCount(row[5]), cost: NanoDollars(row[6])))
    }
}

extension Month? {
    /// The days of a month, which are those whose text begins like it; or all days.
    var days: (from: String, before: String) { map { ($0.rawValue, $0.rawValue + "-99") } ?? ("", "9") }
}
