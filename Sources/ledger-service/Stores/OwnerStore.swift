import SharedProtocol
import Storage

/// The webs that several ledgers know to live, and how far their requests have come.
enum OwnerStore {
    /// Takes up what webs said of themselves, and that they live if they reserve.
    static func renew(_ operations: [SharedOperation], at moment: Moment, _ connection: any SQLConnection) throws {
        var leases: [String: Int64] = [:]
        var progress: [ProgressRow] = []
        let end = moment.uptime + OwnerLeases.length
        for operation in operations {
            switch operation {
            case .reserve(let call, _): leases[call.owner.rawValue] = leases[call.owner.rawValue] ?? end
            case .renew(let call):
                leases[call.owner.rawValue] = call.isLeaving == true ? moment.uptime - 1 : end
                progress += call.progress.filter { $0.completion > 0 }.map { ProgressRow($0, call.owner) }
            case .post, .void, .reset: break
            }
        }
        try connection.execute(
            """
            INSERT INTO owners (instance, lease_until)
            SELECT instance, lease_until FROM jsonb_to_recordset(?::jsonb) AS rows (instance TEXT, lease_until BIGINT)
            ORDER BY instance
            ON CONFLICT (instance) DO UPDATE SET lease_until = excluded.lease_until
            """, rows: leases.map { LeaseRow(instance: $0, leaseUntil: $1) })
        try connection.execute(
            """
            UPDATE reservations SET prompt = rows.prompt, completion = rows.completion
            FROM jsonb_to_recordset(?::jsonb) AS rows (request TEXT, owner TEXT, prompt BIGINT, completion BIGINT)
            WHERE reservations.request = rows.request AND reservations.owner = rows.owner
            """, rows: progress)
    }

    /// Forgets the dead that have nothing left, and how requests ended that nobody will ask for any more.
    static func removeDead(at moment: Moment, _ connection: any SQLConnection) throws {
        try connection.execute(
            """
            DELETE FROM owners WHERE lease_until < ?
                AND NOT EXISTS (SELECT 1 FROM reservations WHERE owner = instance)
            """, [moment.uptime])
        try connection.execute("DELETE FROM ended WHERE time < ?", [moment.wall.rawValue - endsKeptMs])
    }

    /// Longer than any call may take to arrive.
    private static let endsKeptMs: Int64 = 600_000

    private struct LeaseRow: Encodable {
        var instance: String
        var leaseUntil: Int64
    }

    private struct ProgressRow: Encodable {
        var request: String
        var owner: String
        var prompt: Int64
        var completion: Int64

        init(_ progress: Ledger.Progress, _ owner: InstanceID) {
            request = progress.request.rawValue
            self.owner = owner.rawValue
            prompt = Swift.max(0, progress.prompt.rawValue)
            completion = Swift.max(0, progress.completion.rawValue)
        }
    }
}
