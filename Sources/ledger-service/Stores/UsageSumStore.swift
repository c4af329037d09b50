import SharedProtocol
import Storage

/// Running sums of usage, written in the transaction of the events that they sum, so that a page of ten million events'
/// usage reads a few rows. Three tables: a user's in full detail, everyone's by day, users' by month.
enum UsageSumStore {
    /// The day, and what sums are kept by.
    struct Detail: Hashable {
        var day: CalendarDay
        var user: UserID
        var model: ModelName
        /// 0 for the browser's chat.
        var key: Int64
        var source: Ledger.Source
        /// Empty when no group's budget paid.
        var group: String
    }

    /// Stands for all months together.
    static let always = ""

    private static let added = ["requests", "prompt", "completion", "billed", "written_off", "cost"]

    static func add(_ settlements: [Settlement], on day: CalendarDay, _ connection: any SQLConnection) throws {
        for (detail, sum) in sums(of: settlements, on: day) { try add(sum, detail, connection) }
    }

    private static func sums(of settlements: [Settlement], on day: CalendarDay) -> [Detail: Ledger.UsageSum] {
        var sums: [Detail: Ledger.UsageSum] = [:]
        for settlement in settlements {
            let bill = settlement.bill
            let detail = Detail(
                day: day, user: bill.account.user, model: bill.model, key: bill.key?.rawValue ?? 0,
                source: bill.source, group: bill.group?.rawValue ?? "")
            sums[detail, default: Ledger.UsageSum()].add(settlement)
        }
        return sums
    }

    /// The same on PostgreSQL: a statement for each table. Rows are taken in order, so that no two transactions wait for
    /// each other.
    static func addAtOnce(_ settlements: [Settlement], on day: CalendarDay, _ connection: any SQLConnection) throws {
        let rows = sums(of: settlements, on: day).map(SumRow.init)
        for (table, key) in [
            ("usage_of_user", userKey), ("usage_of_day", dayKey), ("usage_of_month", monthKey),
        ] { try connection.execute(upsertAll(table, key: key), rows: rows) }
        // All months together.
        try connection.execute(
            upsertAll("usage_of_month", key: monthKey), rows: rows.map { $0.always })
    }

    private static func upsertAll(_ table: String, key: [String]) -> String {
        let sums = added.map { "CAST(sum(\($0)) AS BIGINT)" }.joined(separator: ", ")
        let types = SumRow.texts.map { $0 + " TEXT" } + SumRow.numbers.map { $0 + " BIGINT" }
        let keys = key.joined(separator: ", ")
        return """
            INSERT INTO \(table) (\(keys), \(added.joined(separator: ", ")))
            SELECT \(keys), \(sums) FROM jsonb_to_recordset(?::jsonb) AS rows (\(types.joined(separator: ", ")))
            GROUP BY \(keys) ORDER BY \(keys)
            ON CONFLICT (\(keys)) DO UPDATE SET \(changes(table))
            """
    }

    private static func add(_ sum: Ledger.UsageSum, _ detail: Detail, _ connection: any SQLConnection) throws {
        let (day, user) = (detail.day.rawValue, detail.user.rawValue)
        let kind: [any SQLConvertible] = [detail.model.rawValue, detail.source.rawValue, detail.group]
        try connection.execute(userUpsert, [user, day] + kind + [detail.key] + sum.values)
        try connection.execute(dayUpsert, [day] + kind + sum.values)
        for month in [detail.day.month.rawValue, always] {
            try connection.execute(monthUpsert, [month, user] + sum.values)
        }
    }

    private static let userKey = ["user_id", "day", "model", "source", "group_name", "key_id"]
    private static let dayKey = ["day", "model", "source", "group_name"]
    private static let monthKey = ["month", "user_id"]
    private static let userUpsert = upsert("usage_of_user", key: userKey)
    private static let dayUpsert = upsert("usage_of_day", key: dayKey)
    private static let monthUpsert = upsert("usage_of_month", key: monthKey)

    private static func upsert(_ table: String, key: [String]) -> String {
        let columns = key + added
        let places = columns.map { _ in "?" }.joined(separator: ", ")
        return """
            INSERT INTO \(table) (\(columns.joined(separator: ", "))) VALUES (\(places))
            ON CONFLICT (\(key.joined(separator: ", "))) DO UPDATE SET \(changes(table))
            """
    }

    private static func changes(_ table: String) -> String {
        added.map { "\($0) = \(table).\($0) + excluded.\($0)" }.joined(separator: ", ")
    }
}

extension Ledger.UsageSum {
    fileprivate mutating func add(_ settlement: Settlement) {
        requests += settlement.isCorrection ? 0 : 1
        prompt += settlement.usage.prompt
        completion += settlement.usage.completion
        billed += settlement.receipt.billed
        writtenOff += settlement.receipt.writtenOff
        cost += settlement.receipt.cost
    }

    fileprivate var values: [any SQLConvertible] {
        [requests, prompt.rawValue, completion.rawValue, billed.rawValue, writtenOff.rawValue, cost.rawValue]
    }
}

private struct SumRow: Encodable {
    static let texts = ["day", "month", "model", "source", "group_name"]
    static let numbers = ["user_id", "key_id", "requests", "prompt", "completion", "billed", "written_off", "cost"]

    var day, month, model, source, groupName: String
    var userId, keyId, requests, prompt, completion, billed, writtenOff, cost: Int64

    init(_ detail: UsageSumStore.Detail, _ sum: Ledger.UsageSum) {
        day = detail.day.rawValue
        month = detail.day.month.rawValue
        model = detail.model.rawValue
        source = detail.source.rawValue
        groupName = detail.group
        userId = detail.user.rawValue
        keyId = detail.key
        requests = sum.requests
        prompt = sum.prompt.rawValue
        completion = sum.completion.rawValue
        billed = sum.billed.rawValue
        writtenOff = sum.writtenOff.rawValue
        cost = sum.cost.rawValue
    }

    var always: SumRow {
        var row = self
        row.month = UsageSumStore.always
        return row
    }
}
