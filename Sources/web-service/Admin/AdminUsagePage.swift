import HTTPTypes
import Hummingbird
import SharedProtocol

extension Site {
    /// What everyone used.
    func adminUsage(_ visit: Visit) async throws -> Response {
        let period = try Period(visit)
        let report = try? await everyone(period, users: AdminUsagePage.usersShown, visit)
        let names = await emails(of: report?.users ?? [], visit)
        let sums = report.map { report in
            let aspects = [UsageAspect.user(names), .group, .model, .source, .day]
            var tables = aspects.map { aspect in
                aspect.table(of: report, file: "/admin/usage.csv?month=\(period.code)&by=\(aspect.code)")
            }
            if report.users.count >= AdminUsagePage.usersShown {
                tables[0].note = "The \(AdminUsagePage.usersShown) who used most. The file has more."
            }
            return UsageSums(report, tables: tables)
        }
        let content = AdminUsagePage(
            period: period.text,
            picker: MonthPicker(for: period, action: "/admin/usage", since: report?.firstMonth), sums: sums)
        return page("admin-usage", title: "Usage of everyone", content, for: visit)
    }

    /// One of the lists as a file.
    func adminUsageFile(_ visit: Visit) async throws -> Response {
        let period = try Period(visit)
        let by = visit.query("by") ?? ""
        if by == "user" { return try await adminUsersFile(period, visit) }
        guard let aspect = [UsageAspect.group, .model, .source, .day].first(where: { $0.code == by }) else {
            throw PageProblem(.badRequest, "No such list", "There are lists by user, group, model, day and source.")
        }
        let report = try await everyone(period, users: 0, visit)
        let header: [CSVCell] = [.text(aspect.code)] + Ledger.UsageSum.csvHeader
        let lines = aspect.lines(report).map { [.text($0.name)] + $0.sum.cells }
        return Self.csv("usage-by-\(aspect.code)-\(period.code).csv", [header] + lines)
    }

    private func adminUsersFile(_ period: Period, _ visit: Visit) async throws -> Response {
        let report = try await everyone(period, users: AdminUsagePage.usersInFile, visit)
        let names = await emails(of: report.users, visit)
        let header: [CSVCell] = ["user_id", "email"] + Ledger.UsageSum.csvHeader
        let lines = report.users.map { line in
            [.text(line.name), .text(Int64(line.name).flatMap { names[$0] } ?? "")] + line.sum.cells
        }
        return Self.csv("usage-by-user-\(period.code).csv", [header] + lines)
    }

    private func everyone(_ period: Period, users: Int, _ visit: Visit) async throws(CallError) -> Ledger.UsageReport {
        try await ledger.call(
            Ledger.Report(user: nil, month: period.month, users: users), request: visit.id,
            timeout: Self.callTimeout)
    }

    /// The addresses that auth can tell; sums are worth showing without them, too.
    private func emails(of lines: [Ledger.UsageLine], _ visit: Visit) async -> [Int64: String] {
        var ids = lines.compactMap { Int64($0.name).map { UserID($0) } }[...]
        var emails: [Int64: String] = [:]
        while !ids.isEmpty {
            let call = Auth.NamesOf(users: Array(ids.prefix(Auth.NamesOf.most)))
            guard let names = try? await auth.call(call, request: visit.id, timeout: Self.callTimeout) else { break }
            for name in names { emails[name.user.rawValue] = name.email }
            ids = ids.dropFirst(Auth.NamesOf.most)
        }
        return emails
    }
}

private struct AdminUsagePage: Sendable {
    static let usersShown = 100
    /// The most that the ledger tells of.
    static let usersInFile = 10_000

    var period: String
    var picker: MonthPicker
    /// Absent when the ledger cannot say.
    var sums: UsageSums?
}
