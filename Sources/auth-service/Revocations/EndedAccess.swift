import SharedProtocol
import Storage

/// Tells webs which of those who have something running have lost their access.
enum EndedAccess {
    static func find(
        _ call: Auth.FindEnded, at now: Timestamp, in database: ServiceDatabase
    ) async throws(CallError) -> Auth.Ended {
        guard max(call.users.count, call.keys.count) <= Auth.FindEnded.most else {
            throw CallError(.refused, "More than \(Auth.FindEnded.most) users or keys were asked for at once.")
        }
        return try await database.read { connection in
            let users = try ids(
                call.users.map(\.rawValue), "SELECT id FROM users WHERE disabled IS NULL AND id", [], connection)
            let keys = try ids(
                call.keys.map(\.rawValue),
                "SELECT id FROM api_key WHERE revoked IS NULL AND (expires IS NULL OR expires > ?) AND id",
                [now.rawValue], connection)
            return Auth.Ended(
                users: call.users.filter { !users.contains($0.rawValue) },
                keys: call.keys.filter { !keys.contains($0.rawValue) }, revision: try Revision.current(connection))
        }
    }

    /// Those of the ids that the query, which ends with the id's column, finds alive.
    private static func ids(
        _ ids: [Int64], _ query: String, _ values: [any SQLConvertible], _ connection: any SQLConnection
    ) throws -> Set<Int64> {
        if ids.isEmpty { return [] }
        let rows = try connection.rows(
            "\(query) \(IDList.condition(connection))", values + [IDList.value(ids, connection)])
        return Set(rows.map { $0[0] })
    }
}
