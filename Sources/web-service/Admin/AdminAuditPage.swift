import Hummingbird
import SharedProtocol

extension Site {
    /// Who changed what, the latest first.
    func adminAudit(_ visit: Visit) async throws -> Response {
        let search = visit.query("search") ?? ""
        var place = AdminAuditPage.Place(visit)
        // One more than a page tells whether there are more in that direction.
        var entries = try await auditEntries(search, place, AdminAuditPage.entriesPerPage + 1, visit)
        if case .after = place, entries.count <= AdminAuditPage.entriesPerPage {
            // The newest page is always full, if it can be.
            place = .newest
            entries = try await auditEntries(search, place, AdminAuditPage.entriesPerPage + 1, visit)
        }
        let content = AdminAuditPage(entries, search: search, place)
        return page("admin-audit", title: "Audit log", content, for: visit)
    }

    /// The log as a file, newest first, as it comes from auth: no more than a page of it is in memory.
    func adminAuditFile(_ visit: Visit) async throws -> Response {
        let search = visit.query("search") ?? ""
        // Before the reply begins, so that an auth that is away is a page and not an empty file.
        let first = try await auditEntries(search, .newest, AuditFile.entriesPerCall, visit)
        return Self.csv(
            "audit.csv",
            ResponseBody { writer in
                try await AuditFile.write(to: &writer, first) { last in
                    try await auditEntries(search, .before(last), AuditFile.entriesPerCall, visit)
                }
            })
    }

    private func auditEntries(
        _ search: String, _ place: AdminAuditPage.Place, _ limit: Int, _ visit: Visit
    ) async throws(CallError) -> [Auth.AuditEntry] {
        var call = Auth.ReadAudit(search: search, limit: limit)
        switch place {
        case .newest: break
        case .before(let number): call.before = number
        case .after(let number): call.after = number
        }
        return try await authCall(call, for: visit)
    }
}

/// One page of the audit log.
private struct AdminAuditPage: Sendable {
    static let entriesPerPage = 50

    /// Where in the log the page is: the entries next to one, or the newest of all.
    enum Place: Hashable {
        case newest
        case before(Int64)
        case after(Int64)

        init(_ visit: Visit) {
            func number(_ name: String) -> Int64? { visit.query(name).flatMap { Int64($0) } }
            self = number("before").map(Place.before) ?? number("after").map(Place.after) ?? .newest
        }
    }

    var search: String
    var hasEntries: Bool
    var entries: [Row]
    var isFirstPage: Bool
    var newestPath: String
    var newerPath: String?
    var olderPath: String?
    var file: String

    struct Row: Sendable {
        var number: Int64
        var time: Moment
        /// Absent for what the site did by itself.
        var actor: String?
        var actorPath: String
        var address: String
        var action: String
        var subject: String
        var before: String?
        var after: String?
        var hasChange: Bool

        init(_ entry: Auth.AuditEntry) {
            number = entry.number
            time = Moment(entry.time)
            actor = entry.by?.email
            actorPath = "/admin/users/\(entry.by?.user.rawValue ?? 0)"
            address = entry.by?.address ?? ""
            action = entry.action.name
            subject = entry.action.subject
            before = entry.action.before
            after = entry.action.after
            hasChange = before != nil || after != nil
        }
    }

    /// - Parameter entries: of the page, and one more when there are more in its direction.
    init(_ entries: [Auth.AuditEntry], search: String, _ place: Place) {
        let query = "search=\(search.percentEncoded)"
        let shown: ArraySlice<Auth.AuditEntry>
        let hasOlder: Bool
        if case .after = place {
            (shown, hasOlder) = (entries.suffix(Self.entriesPerPage), true)
        } else {
            (shown, hasOlder) = (entries.prefix(Self.entriesPerPage), entries.count > Self.entriesPerPage)
        }
        self.search = search
        isFirstPage = place == .newest
        hasEntries = !shown.isEmpty
        self.entries = shown.map(Row.init)
        newestPath = "/admin/audit?\(query)"
        if !isFirstPage, let first = shown.first { newerPath = newestPath + "&after=\(first.number)" }
        if hasOlder, let last = shown.last { olderPath = newestPath + "&before=\(last.number)" }
        file = "/admin/audit.csv?\(query)"
    }
}

/// How the audit log is written into a file.
enum AuditFile {
    /// The newest ones.
    static let mostEntries = 100_000
    /// The most that one call answers.
    static let entriesPerCall = 200

    static let header: [CSVCell] = [
        "number", "time", "user_id", "email", "address", "action", "subject", "before", "after", "request",
    ]

    /// - Parameters:
    ///   - first: a page of entries, newest first.
    ///   - next: the page that follows an entry. When it fails, the connection breaks: nobody shall take half a file for
    ///     the whole.
    @concurrent static func write(
        to writer: inout any ResponseBodyWriter, _ first: [Auth.AuditEntry],
        next: (Int64) async throws -> [Auth.AuditEntry]
    ) async throws {
        try await writer.write(ByteBuffer(string: CSVText.line(header)))
        var entries = first
        var count = 0
        while !entries.isEmpty {
            try await writer.write(ByteBuffer(string: entries.map { CSVText.line(cells($0)) }.joined()))
            count += entries.count
            guard let last = entries.last, entries.count == entriesPerCall, count < mostEntries else { break }
            entries = try await next(last.number)
        }
        try await writer.finish(nil)
    }

    static func cells(_ entry: Auth.AuditEntry) -> [CSVCell] {
        [
            .number(entry.number), .time(entry.time), entry.by.map { .number($0.user.rawValue) } ?? "",
            .text(entry.by?.email ?? ""), .text(entry.by?.address ?? ""), .text(entry.action.name),
            .text(entry.action.subject), .text(entry.action.before ?? ""), .text(entry.action.after ?? ""),
            .text(entry.request?.rawValue ?? ""),
        ]
    }
}
