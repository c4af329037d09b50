import Hummingbird
import SharedProtocol

extension Site {
    /// What is left, and what was used.
    func usage(_ visit: Visit) async throws -> Response {
        let period = try Period(visit)
        async let sheet = balances(for: visit)
        async let part = usagePart(
            of: visit.person, period: period, path: "/usage", sumsFile: "/usage.csv", visit)
        let content = UsagePage(balance: PoolList(await sheet), usage: await part)
        return page("usage", title: "Usage", content, for: visit)
    }

    /// Somebody's sums and requests: what `/usage` and an admin's view of a user have in common.
    ///
    /// - Parameters:
    ///   - path: of the page; the requests as a file are below it.
    ///   - sumsFile: where the sums are as a file.
    func usagePart(
        of person: Auth.Person, period: Period, path: String, sumsFile: String, _ visit: Visit
    ) async -> UsagePart {
        let before = visit.query("before").flatMap { Int64($0) }
        async let names = keyNames(of: person.id, visit)
        async let report = try? await ledger.call(
            Ledger.Report(user: person.id, month: period.month, users: 0), request: visit.id,
            timeout: Self.callTimeout)
        let events = try? await ledger.call(
            Ledger.Events(user: person.id, before: before, limit: EventList.eventsPerPage + 1), request: visit.id,
            timeout: Self.callTimeout)
        let aspects = [UsageAspect.model, .key(await names), .day]
        let found = await report
        let sums = found.map { report in UsageSums(report, tables: aspects.map { $0.table(of: report) }) }
        return UsagePart(
            period: period.text, picker: MonthPicker(for: period, action: path, since: found?.firstMonth), sums: sums,
            sumsFile: sumsFile + "?month=" + period.code,
            requests: EventList(events, isFirstPage: before == nil, path: path, period: period))
    }
}

/// The reader's pools and usage.
struct UsagePage: Sendable {
    var balance: PoolList
    var usage: UsagePart
}

/// Sums of a month and single requests.
struct UsagePart: Sendable {
    var period: String
    var picker: MonthPicker
    /// Absent when the ledger cannot say.
    var sums: UsageSums?
    var sumsFile: String
    var requests: EventList
}
