import Hummingbird
import SharedProtocol

extension Site {
    /// Where an admin begins: what there is to look at, and this month in one line.
    func adminOverview(_ visit: Visit) async throws -> Response {
        let month = CalendarDay(.now()).month
        let report = try? await ledger.call(
            Ledger.Report(user: nil, month: month, users: 0), request: visit.id, timeout: Self.callTimeout)
        let content = AdminPage(
            month: Period.month(month).text, total: report.map { SumRow("Total", $0.total) })
        return page("admin", title: "Admin", content, for: visit)
    }
}

private struct AdminPage: Sendable {
    var month: String
    /// Absent when the ledger cannot say.
    var total: SumRow?
}
