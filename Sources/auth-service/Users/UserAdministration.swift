import SharedProtocol
import Storage

/// What admins change about users.
struct UserAdministration: Sendable {
    let changes: AuditedChanges
    let directory: UserDirectory

    func create(_ call: Auth.CreateUser, _ request: RequestID?) async throws(CallError) -> Auth.UserRecord {
        guard let email = EmailAddress.normalized(call.email) else {
            throw CallError(.refused, "That is not an e-mail address.")
        }
        let id = try await changes.make(by: call.by, request) { change in
            guard let id = try User.create(email: email, at: change.time, change.connection) else {
                throw CallError(.refused, "There is a user with this address already.")
            }
            try change.note("user.create", "user \(id) \(email)", after: "enabled")
            return id
        }
        return try await directory.get(id)
    }

    /// Sessions end in the same transaction; keys and what is running, as soon as webs hear of it.
    func setDisabled(_ call: Auth.SetUserDisabled, _ request: RequestID?) async throws(CallError) -> Done {
        if call.isDisabled, call.user == call.by.user {
            throw CallError(.refused, "Nobody can disable their own account.")
        }
        try await changes.make(by: call.by, request) { change in
            let user = try User.get(call.user, change.connection)
            guard user.isDisabled != call.isDisabled else { return }
            let disabled = call.isDisabled ? change.time : nil
            try change.connection.execute(
                "UPDATE users SET disabled = ? WHERE id = ?", [disabled?.rawValue, user.id.rawValue])
            if call.isDisabled { try Self.endSessions(of: user, change) }
            let (before, after) = call.isDisabled ? ("enabled", "disabled") : ("disabled", "enabled")
            try change.note(
                call.isDisabled ? "user.disable" : "user.enable", user.subject, before: before, after: after,
                touchesAccess: true)
        }
        return Done()
    }

    func unlink(_ call: Auth.UnlinkUser, _ request: RequestID?) async throws(CallError) -> Done {
        try await changes.make(by: call.by, request) { change in
            let user = try User.get(call.user, change.connection)
            guard let identity = user.identity else { return }
            try change.connection.execute(
                "UPDATE users SET issuer = NULL, subject = NULL WHERE id = ?", [user.id.rawValue])
            try Self.endSessions(of: user, change)
            try change.note(
                "user.unlink", user.subject, before: "\(identity.subject) of \(identity.issuer)", touchesAccess: true)
        }
        return Done()
    }

    private static func endSessions(of user: User, _ change: AuditedChange) throws {
        try change.connection.execute("DELETE FROM session WHERE owner = ?", [user.id.rawValue])
    }
}
