import SharedProtocol
import Storage

/// The table of the audit log.
enum AuditLog {
    /// Rows that a verification has in memory at once.
    private static let batch = 1000

    /// Has other instances wait until this transaction has ended, when they want to append. To be called before anything
    /// else is read in it: what is read then contains their entries.
    static func lock(_ connection: any SQLConnection) throws {
        if connection.engine == .postgres { try connection.execute("LOCK TABLE audit IN SHARE ROW EXCLUSIVE MODE") }
    }

    /// Adds an entry, in the transaction of the change, which has called `lock`.
    ///
    /// - Returns: its number and hash.
    static func append(
        _ action: Auth.AuditAction, by actor: Auth.Actor?, at time: Timestamp, _ request: RequestID?,
        _ connection: any SQLConnection
    ) throws -> (number: Int64, hash: String) {
        let last = try connection.row("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1")
        let number: Int64 = last.map { $0["number"] } ?? 0
        let row = AuditRow(number + 1, at: time, action, by: actor, request)
        let hash = row.hash(after: last.map { $0["hash"] } ?? AuditRow.noHash)
        try connection.execute(
            "INSERT INTO audit (\(AuditRow.columns), hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row.values + [hash])
        return (row.number, hash)
    }

    /// One page, the latest first.
    static func read(_ call: Auth.ReadAudit, _ connection: any SQLConnection) throws -> [Auth.AuditEntry] {
        let pattern = call.search.containedPattern
        let sql = """
            SELECT \(AuditRow.columns) FROM audit
            WHERE number < ? AND number > ? AND (? = '%%' OR lower(action) LIKE ? ESCAPE '\\' OR lower(subject) LIKE ? ESCAPE '\\'
                OR lower(coalesce(actor_email, '')) LIKE ? ESCAPE '\\' OR coalesce(address, '') LIKE ? ESCAPE '\\')
            ORDER BY number \(call.after == nil ? "DESC" : "ASC") LIMIT ?
            """
        let patterns = [String](repeating: pattern, count: 5)
        let values: [any SQLConvertible] = [call.before ?? .max, call.after ?? 0] + patterns + [call.limit]
        let entries = try connection.rows(sql, values).map { AuditRow($0).entry }
        return call.after == nil ? entries : entries.reversed()
    }

    /// Recomputes every hash, up to the first entry that is not as it was written.
    static func verify(_ connection: any SQLConnection) throws -> Auth.AuditVerification {
        var found = Auth.AuditVerification(entries: 0, head: AuditRow.noHash)
        var last = Int64.min
        while true {
            let rows = try connection.rows(
                "SELECT \(AuditRow.columns), hash FROM audit WHERE number > ? ORDER BY number LIMIT ?",
                [last, batch])
            for row in rows {
                found.fault = fault(in: row, after: found)
                if found.fault != nil { return found }
                found.entries += 1
                found.head = row["hash"]
            }
            guard let end = rows.last else { return found }
            last = end["number"]
        }
    }

    private static func fault(in row: SQLRow, after found: Auth.AuditVerification) -> String? {
        let (row, hash): (AuditRow, String) = (AuditRow(row), row["hash"])
        guard row.number == found.entries + 1 else { return "entry \(found.entries + 1) is missing" }
        if row.hash(after: found.head) == hash { return nil }
        return "entry \(row.number) is not the one that was written, or does not follow the one before it"
    }
}
