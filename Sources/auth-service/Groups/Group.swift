import SharedProtocol
import Storage

/// A group's row.
struct Group: Sendable, Hashable {
    var name: GroupName
    var title: String
    var origin: Auth.GroupOrigin
    var isDisabled: Bool

    static let columns = "user_group.name, user_group.title, user_group.origin, user_group.disabled"

    init(_ row: SQLRow) {
        name = GroupName(row["name"])
        title = row["title"]
        origin = row["origin"] == Auth.GroupOrigin.file.rawValue ? .file : .panel
        isDisabled = (row["disabled"] as Int64?) != nil
    }

    /// How the audit log names it.
    var subject: String { "group \(name)" }
    /// What the audit log says of it.
    var state: String { Self.state(isDisabled: isDisabled) }

    static func state(isDisabled: Bool) -> String { isDisabled ? "disabled" : "enabled" }

    /// Throws `not_found`.
    static func get(_ name: GroupName, _ connection: any SQLConnection) throws -> Group {
        let row = try connection.row("SELECT \(columns) FROM user_group WHERE name = ?", [name.rawValue])
        guard let row else { throw CallError(.notFound, "There is no such group.") }
        return Group(row)
    }

    /// Changes nothing when the name is taken.
    static func insert(
        _ name: GroupName, title: String, _ origin: Auth.GroupOrigin, isDisabled: Bool, at time: Timestamp,
        _ connection: any SQLConnection
    ) throws {
        let disabled = isDisabled ? time.rawValue : nil
        try connection.execute(
            """
            INSERT INTO user_group (name, title, origin, created, disabled) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (name) DO NOTHING
            """, [name.rawValue, title, origin.rawValue, time.rawValue, disabled])
    }
}
