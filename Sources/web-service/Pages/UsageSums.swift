import SharedProtocol

/// Sums of usage as the pages show them.
struct UsageSums: Sendable {
    var total: SumRow
    /// None when nothing was used.
    var tables: [SumTable]

    init(_ report: Ledger.UsageReport, tables: [SumTable]) {
        total = SumRow("Total", report.total)
        self.tables = report.total.requests > 0 ? tables : []
    }
}

/// One list of sums.
struct SumTable: Sendable {
    var title: String
    /// What its lines are about: `Model`.
    var subject: String
    /// Where it can be had as a file of its own.
    var file: String?
    var note: String?
    var lines: [SumRow]
}

/// One line of sums, as text.
struct SumRow: Sendable {
    var subject: String
    var link: String?
    var requests: String
    var prompt: String
    var completion: String
    var billed: String
    var writtenOff: String
    var cost: String
    /// The length of its bar, 0 to 100: billed tokens, measured by the longest.
    var share: Int

    init(_ name: String, _ sum: Ledger.UsageSum, link: String? = nil, most: TokenCount = 0) {
        subject = name
        self.link = link
        requests = TokenCount(sum.requests).grouped
        prompt = sum.prompt.grouped
        completion = sum.completion.grouped
        billed = sum.billed.grouped
        writtenOff = sum.writtenOff.grouped
        cost = sum.cost.roundedDollars
        let part = Double(sum.billed.rawValue) / Double(max(1, most.rawValue))
        share = Int((min(1, max(0, part)) * 100).rounded())
    }
}

/// By what usage is summed: the name of each list in addresses and files, its words, and how its lines are named.
struct UsageAspect: Sendable {
    var code: String
    var title: String
    var subject: String
    var lines: @Sendable (Ledger.UsageReport) -> [Ledger.UsageLine]
    /// A line's name in words.
    var label: @Sendable (String) -> String = { $0 }
    var link: @Sendable (String) -> String? = { _ in nil }

    static let day = UsageAspect(code: "day", title: "By day", subject: "Day", lines: { $0.days })
    static let model = UsageAspect(code: "model", title: "By model", subject: "Model", lines: { $0.models })
    static let group = UsageAspect(
        code: "group", title: "By group", subject: "Group", lines: { $0.groups },
        // An override of the user's own belongs to no group.
        label: { $0.isEmpty ? "Users’ own budgets" : $0 })
    static let source = UsageAspect(
        code: "source", title: "By source", subject: "Source", lines: { $0.sources },
        label: { Ledger.Source($0).label })

    /// - Parameter names: of the keys that are not revoked; nil when auth cannot say.
    static func key(_ names: [Int64: String]?) -> UsageAspect {
        UsageAspect(
            code: "key", title: "By API key", subject: "Key", lines: { $0.keys }, label: { keyLabel($0, names) })
    }

    /// - Parameter names: e-mail addresses; a user without one is told by the id.
    static func user(_ names: [Int64: String]) -> UsageAspect {
        UsageAspect(
            code: "user", title: "By user", subject: "User", lines: { $0.users },
            label: { id in Int64(id).flatMap { names[$0] } ?? "user \(id)" }, link: { "/admin/users/\($0)" })
    }

    static func keyLabel(_ id: String, _ names: [Int64: String]?) -> String {
        if id.isEmpty { return "None: the chat of this site" }
        guard let names else { return "key \(id)" }
        return Int64(id).flatMap { names[$0] } ?? "a revoked key"
    }

    /// - Parameter file: where the list can be had as a file.
    func table(of report: Ledger.UsageReport, file: String? = nil) -> SumTable {
        let found = lines(report)
        let most = found.map(\.sum.billed).max() ?? 0
        let rows = found.map { SumRow(label($0.name), $0.sum, link: link($0.name), most: most) }
        // Days come oldest first; who looks for one wants the latest.
        return SumTable(
            title: title, subject: subject, file: file, note: nil, lines: code == "day" ? rows.reversed() : rows)
    }
}

extension Ledger.UsageSum {
    /// As a file has them, in the order of `csvHeader`.
    var cells: [CSVCell] {
        [
            .number(requests), .tokens(prompt), .tokens(completion), .tokens(billed), .tokens(writtenOff),
            .dollars(cost),
        ]
    }

    static let csvHeader: [CSVCell] = [
        "requests", "prompt_tokens", "completion_tokens", "billed_tokens", "written_off_tokens", "cost_usd",
    ]
}
