import NIOConcurrencyHelpers
import SharedProtocol

@testable import web_service

/// What people and admins ask of auth about access, answered as the contract says.
extension ScriptedServices {
    func addAccessCalls(toAuth table: inout CallTable) {
        addUserCalls(to: &table)
        addGroupCalls(to: &table)
        table.on(Auth.ListSessions.self) { [self] call, _ throws(CallError) in
            try answer("sessions \(call.user) \(call.current == nil ? "unknown" : "known")")
            return sessions.withLockedValue { $0 }
        }
        table.on(Auth.EndSession.self) { [self] call, _ throws(CallError) in
            try answer("end \(call.user) \(call.session)")
            return Done()
        }
        table.on(Auth.EndOtherSessions.self) { [self] call, _ throws(CallError) in
            let good = CredentialHash(of: "good", under: "0123456789abcdef0123456789abcdef")
            try answer("end others \(call.user) \(call.keeping == good)")
            return Done()
        }
        table.on(Auth.Audit.self) { [self] call, _ throws(CallError) in
            let action = call.action
            try answer(
                "audit \(action.name) (\(action.subject)): \(action.before ?? "-") > \(action.after ?? "-") \(call.by.text)"
            )
            return Done()
        }
        table.on(Auth.ReadAudit.self) { [self] call, _ throws(CallError) in
            let place = call.before?.description ?? call.after.map { "after \($0)" } ?? "newest"
            try answer("read audit \(place) \(call.search) \(call.limit)")
            return audit(call)
        }
    }

    private func addUserCalls(to table: inout CallTable) {
        table.on(Auth.CreateUser.self) { [self] call, _ throws(CallError) in
            try answer("create user \(call.email) \(call.by.text)")
            guard call.email.contains("@") else { throw CallError(.refused, "That is not an e-mail address.") }
            return Auth.UserRecord(person: .ada, isDisabled: false)
        }
        table.on(Auth.SetUserDisabled.self) { [self] call, _ throws(CallError) in
            try answer("disable \(call.user) \(call.isDisabled) \(call.by.text)")
            if call.user == call.by.user { throw CallError(.refused, "Nobody disables themselves.") }
            return Done()
        }
        table.on(Auth.UnlinkUser.self) { [self] call, _ throws(CallError) in
            try answer("unlink \(call.user) \(call.by.text)")
            return Done()
        }
    }

    private func addGroupCalls(to table: inout CallTable) {
        table.on(Auth.ListGroups.self) { [self] _, _ throws(CallError) in
            try answer("list groups")
            return groups.withLockedValue { $0 }
        }
        table.on(Auth.CreateGroup.self) { [self] call, _ throws(CallError) in
            try answer("create group \(call.name) \(call.title) \(call.by.text)")
            if call.name == "taken" { throw CallError(.refused, "There is a group with this name.") }
            return Done()
        }
        table.on(Auth.RenameGroup.self) { [self] call, _ throws(CallError) in
            try answer("rename group \(call.name) \(call.title) \(call.by.text)")
            if call.title.isEmpty { throw CallError(.refused, "A group needs a title.") }
            return Done()
        }
        table.on(Auth.SetGroupDisabled.self) { [self] call, _ throws(CallError) in
            try answer("disable group \(call.name) \(call.isDisabled) \(call.by.text)")
            return Done()
        }
        table.on(Auth.ListMembers.self) { [self] call, _ throws(CallError) in
            try answer("members \(call.group) \(call.offset)")
            let all = members.withLockedValue { $0 }
            return Auth.MemberPage(members: Array(all.dropFirst(call.offset).prefix(call.limit)), total: all.count)
        }
        table.on(Auth.SetMember.self) { [self] call, _ throws(CallError) in
            try answer("member \(call.group) \(call.user) \(call.isMember) \(call.by.text)")
            return Done()
        }
    }

    private func audit(_ call: Auth.ReadAudit) -> [Auth.AuditEntry] {
        let last = call.after.map { $0 + Int64(call.limit) } ?? call.before.map { $0 - 1 } ?? .max
        let newest = min(last, auditCount.withLockedValue { $0 })
        return stride(from: newest, to: max(call.after ?? 0, newest - Int64(call.limit)), by: -1).map { number in
            Auth.AuditEntry(
                number: number, time: Timestamp(1_795_500_000_000),
                by: number == 1 ? nil : Auth.Actor(user: .ada, email: "ada@example.edu", address: "192.0.2.7"),
                action: Auth.AuditAction(
                    name: "user.disable", subject: "=user \(number)", before: "<active>", after: "disabled"),
                request: RequestID("req_\(number)"))
        }
    }
}

extension Auth.Actor {
    fileprivate var text: String { "by \(user) \(email) from \(address)" }
}
