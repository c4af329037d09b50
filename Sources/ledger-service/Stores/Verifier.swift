import SharedProtocol
import Storage

/// Recomputes what the running sums and the pools say, from the events and the entries: `lumen ledger verify`.
enum Verifier {
    /// Faults that are told.
    private static let mostFaults = 100

    static func verify(_ connection: any SQLConnection) throws -> Ledger.Verification {
        let pruned: String = try connection.value("SELECT pruned_before FROM retention") ?? ""
        var faults: [String] = []
        for check in checks(since: CalendarDay(rawValue: pruned)) {
            let rows = try connection.rows(check.sql + " LIMIT \(mostFaults)", check.values)
            faults += rows.map { "\(check.fault): \($0[0] as String)" }
        }
        return Ledger.Verification(
            events: try connection.value("SELECT count(*) FROM usage_events") ?? 0,
            entries: try connection.value("SELECT count(*) FROM entries") ?? 0,
            pools: try connection.value("SELECT count(*) FROM pools") ?? 0, faults: Array(faults.prefix(mostFaults)))
    }

    private struct Check {
        var fault: String
        /// Gives a row for each fault, with what it is about.
        var sql: String
        var values: [any SQLConvertible] = []
    }

    private static func checks(since day: CalendarDay) -> [Check] {
        let days = ["day", "model", "source", "group_name"]
        let users = ["user_id"] + days + ["key_id"]
        let sums = ["requests", "prompt", "completion", "billed", "written_off", "cost"]
        let ofEvents = ["1 - is_correction"] + sums.dropFirst()
        let events = lines("usage_events", by: users, sums: ofEvents)
        let userSums = lines("usage_of_user", by: users, sums: sums)
        let values = [day.rawValue, day.rawValue]
        return [
            Check(
                fault: "a pool's balance is not the sum of its entries",
                sql: """
                    SELECT holder || ' ' || name FROM pools
                    WHERE balance + reserved <> (
                        SELECT coalesce(sum(tokens), 0) FROM entries WHERE pool_id = pools.id)
                    """),
            Check(fault: "not the sum of its events", sql: "\(userSums) EXCEPT \(events)", values: values),
            Check(fault: "events without their sum", sql: "\(events) EXCEPT \(userSums)", values: values),
            Check(
                fault: "a day's sum is not that of its users",
                sql: """
                    \(lines("usage_of_day", by: days, sums: sums))
                    EXCEPT \(lines("usage_of_user", by: days, sums: sums))
                    """, values: values),
        ]
    }

    /// A line of text for each group of rows: what it is about, and its sums.
    private static func lines(_ table: String, by columns: [String], sums: [String]) -> String {
        // The events say NULL for no key and no group, the sums 0 and nothing.
        let columns = columns.map { column in
            switch column {
            case "key_id": "coalesce(key_id, 0)"
            case "group_name": "coalesce(group_name, '')"
            default: column
            }
        }
        let text = (columns + sums.map { "CAST(sum(\($0)) AS BIGINT)" }).joined(separator: " || ' ' || ")
        return "SELECT \(text) FROM \(table) WHERE day >= ? GROUP BY \(columns.joined(separator: ", "))"
    }
}
