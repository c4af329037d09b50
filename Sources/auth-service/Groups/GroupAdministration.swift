import SharedProtocol
import Storage

/// What admins change about groups and their members by hand.
struct GroupAdministration: Sendable {
    let changes: AuditedChanges
    let configuration: @Sendable () -> LumenConfiguration

    func create(_ call: Auth.CreateGroup, _ request: RequestID?) async throws(CallError) -> Done {
        guard call.name.rawValue.isGroupName else {
            throw CallError(
                .refused, "A group's name has 1 to 100 letters, digits, “-”, “_” and “.”, and does not begin with “.”.")
        }
        let title = try call.title.named("A group's title")
        let name = call.name.rawValue.lowercased()
        // One that the file has just got may not be in the table yet.
        let isInFile = configuration().groups.keys.contains { $0.rawValue.lowercased() == name }
        try await changes.make(by: call.by, request) { change in
            // Names that differ by letter case only are one to whoever reads them out, or types them.
            let taken: Int? = try change.connection.value(
                "SELECT count(*) FROM user_group WHERE lower(name) = ?", [name])
            guard taken == 0, !isInFile else { throw CallError(.refused, "There is a group with this name already.") }
            try Group.insert(
                call.name, title: title, .panel, isDisabled: false, at: change.time, change.connection)
            try change.note("group.create", "group \(call.name)", after: title)
        }
        return Done()
    }

    func rename(_ call: Auth.RenameGroup, _ request: RequestID?) async throws(CallError) -> Done {
        let title = try call.title.named("A group's title")
        try await changes.make(by: call.by, request) { change in
            let group = try Self.panelGroup(call.name, change.connection)
            guard group.title != title else { return }
            try change.connection.execute(
                "UPDATE user_group SET title = ? WHERE name = ?", [title, group.name.rawValue])
            try change.note("group.rename", group.subject, before: group.title, after: title)
        }
        return Done()
    }

    func setDisabled(_ call: Auth.SetGroupDisabled, _ request: RequestID?) async throws(CallError) -> Done {
        try await changes.make(by: call.by, request) { change in
            let group = try Self.panelGroup(call.name, change.connection)
            guard group.isDisabled != call.isDisabled else { return }
            let disabled = call.isDisabled ? change.time.rawValue : nil
            try change.connection.execute(
                "UPDATE user_group SET disabled = ? WHERE name = ?", [disabled, group.name.rawValue])
            try change.note(
                call.isDisabled ? "group.disable" : "group.enable", group.subject, before: group.state,
                after: Group.state(isDisabled: call.isDisabled), touchesAccess: true)
        }
        return Done()
    }

    /// One that is not the file's, as `default` always is.
    private static func panelGroup(_ name: GroupName, _ connection: any SQLConnection) throws -> Group {
        let group = try Group.get(name, connection)
        guard group.origin == .panel else {
            throw CallError(.refused, "This group comes from the configuration file and is changed there.")
        }
        return group
    }

    func setMember(_ call: Auth.SetMember, _ request: RequestID?) async throws(CallError) -> Done {
        try refuseEveryone(call.group)
        try await changes.make(by: call.by, request) { change in
            let group = try Group.get(call.group, change.connection)
            let user = try User.get(call.user, change.connection)
            guard try Self.write(call, change) else { return }
            try change.note(
                call.isMember ? "member.add" : "member.remove", user.subject,
                before: call.isMember ? nil : group.subject, after: call.isMember ? group.subject : nil,
                touchesAccess: true)
        }
        return Done()
    }

    /// - Returns: whether that changed anything.
    private static func write(_ call: Auth.SetMember, _ change: AuditedChange) throws -> Bool {
        let place: [any SQLConvertible] = [call.group.rawValue, call.user.rawValue]
        if call.isMember {
            return try change.connection.execute(
                "INSERT INTO member (group_name, member, since) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                place + [change.time.rawValue]) > 0
        }
        return try change.connection.execute("DELETE FROM member WHERE group_name = ? AND member = ?", place) > 0
    }
}

/// Throws `refused` for `default`.
func refuseEveryone(_ group: GroupName) throws(CallError) {
    if group == .everyone { throw CallError(.refused, "Everyone is in “default”.") }
}

extension String {
    fileprivate var isGroupName: Bool {
        // `.` and `..` in a page's address would be folded away by browsers.
        1...100 ~= utf8.count && !utf8.starts(with: ".".utf8)
            && utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }
}
