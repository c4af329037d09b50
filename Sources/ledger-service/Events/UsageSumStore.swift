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
        guard !settlements.isEmpty else { return }
        var sums: [Detail: Ledger.UsageSum] = [:]
        for settlement in settlements {
            let bill = settlement.bill
            let detail = Detail(
                day: day, user: bill.account.user, model: bill.model, key: bill.key?.rawValue ?? 0,
                source: bill.source, group: bill.group?.rawValue ?? "")
            sums[detail, default: Ledger.UsageSum()].add(settlement)
        }
        for (detail, sum) in sums { try add(sum, detail, connection) }
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

    private static let userUpsert = upsert(
        "usage_of_user", key: ["user_id", "day", "model", "source", "group_name", "key_id"])
    private static let dayUpsert = upsert("usage_of_day", key: ["day", "model", "source", "group_name"])
    private static let monthUpsert = upsert("usage_of_month", key: ["month", "user_id"])

    private static func upsert(_ table: String, key: [String]) -> String {
        let columns = key + added
        let places = columns.map { _ in "?" }.joined(separator: ", ")
        let changes = added.map { "\($0) = \(table).\($0) + excluded.\($0)" }.joined(separator: ", ")
        return """
            INSERT INTO \(table) (\(columns.joined(separator: ", "))) VALUES (\(places))
            ON CONFLICT (\(key.joined(separator: ", "))) DO UPDATE SET \(changes)
            """
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
