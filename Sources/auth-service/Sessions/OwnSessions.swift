import SharedProtocol
import Storage

/// A user's own sessions, as they see them.
extension Sessions {
    /// Those that are alive, the latest used first.
    func list(_ call: Auth.ListSessions) async throws(CallError) -> [Auth.SessionSummary] {
        let limits = currentLimits()
        return try await database.read { connection in
            try connection.rows(
                """
                SELECT id, hash, address, agent, opened, seen FROM session
                WHERE owner = ? AND opened > ? AND seen > ? ORDER BY seen DESC, opened DESC, id
                """, [call.user.rawValue, limits.oldestOpened.rawValue, limits.oldestSeen.rawValue]
            ).map { row in
                Auth.SessionSummary(
                    id: SessionID(row["id"]), browser: Auth.Browser(address: row["address"], agent: row["agent"]),
                    opened: Timestamp(row["opened"]), seen: Timestamp(row["seen"]),
                    isCurrent: call.current.map { $0.rawValue == row["hash"] } ?? false)
            }
        }
    }

    func end(_ call: Auth.EndSession, _ request: RequestID?) async throws(CallError) -> Done {
        try await remove("owner = ? AND id = ?", [call.user.rawValue, call.session.rawValue], request, of: call.user)
    }

    func endOthers(_ call: Auth.EndOtherSessions, _ request: RequestID?) async throws(CallError) -> Done {
        try await remove(
            "owner = ? AND hash <> ?", [call.user.rawValue, call.keeping.rawValue], request, of: call.user)
    }
}
