import Hummingbird
import Logging
import SharedProtocol

/// The addresses below `/admin`, and what holds for all of them.
extension Site {
    func addAdminPages(to pages: RouterGroup<WebContext>) {
        let admin = pages.group("/admin")
        admin.get(use: adminOnly(adminOverview))
        admin.get("users", use: adminOnly(adminUsers))
        admin.post("users", use: adminOnly(createUser))
        admin.get("users/:id", use: adminOnly(adminUser))
        admin.post("users/:id/disable", use: adminOnly(disableUser))
        admin.post("users/:id/enable", use: adminOnly(enableUser))
        admin.post("users/:id/unlink", use: adminOnly(unlinkUser))
        admin.post("users/:id/groups", use: adminOnly(joinGroup))
        admin.post("users/:id/groups/:group/leave", use: adminOnly(leaveGroup))
        admin.post("users/:id/keys/:key/revoke", use: adminOnly(revokeKeyOfUser))
        admin.get("users/:id/usage.csv", use: adminOnly(adminUserUsageFile))
        admin.get("users/:id/events.csv", use: adminOnly(adminUserEventsFile))
        admin.post("users/:id/override", use: adminOnly(setOverride))
        admin.post("users/:id/override/remove", use: adminOnly(removeOverride))
        admin.get("users/:id/reset", use: adminOnly(askToResetUser))
        admin.post("users/:id/reset", use: adminOnly(resetUser))
        admin.get("groups", use: adminOnly(adminGroups))
        admin.post("groups", use: adminOnly(createGroup))
        admin.get("groups/:group", use: adminOnly(adminGroup))
        admin.post("groups/:group/title", use: adminOnly(renameGroup))
        admin.post("groups/:group/disable", use: adminOnly(disableGroup))
        admin.post("groups/:group/enable", use: adminOnly(enableGroup))
        admin.post("groups/:group/members", use: adminOnly(addMember))
        admin.post("groups/:group/members/:id/remove", use: adminOnly(removeMember))
        admin.get("groups/:group/reset", use: adminOnly(askToResetGroup))
        admin.post("groups/:group/reset", use: adminOnly(resetGroup))
        admin.get("audit", use: adminOnly(adminAudit))
        admin.get("audit.csv", use: adminOnly(adminAuditFile))
        admin.get("usage", use: adminOnly(adminUsage))
        admin.get("usage.csv", use: adminOnly(adminUsageFile))
    }

    /// A handler that only runs for someone who is in `admins` at this moment.
    private func adminOnly(
        _ handler: @escaping @Sendable (Visit) async throws -> Response
    ) -> @Sendable (Request, WebContext) async throws -> Response {
        signedIn { visit in
            guard configuration().isAdmin(visit.person.email) else { throw PageProblem.notAnAdmin }
            return try await handler(visit)
        }
    }

    /// Makes a change at another service than auth, which writes down its own. It is in the audit log before it is made, and is
    /// not made when it cannot be written there. The service's log has one line about it however it ends: of a call whose answer
    /// was lost, too, it must be known who made it.
    func change<C: Call>(
        _ call: C, at service: any Caller, by visit: Visit, as action: Auth.AuditAction, _ details: Logger.Metadata
    ) async throws(CallError) {
        var details = details
        details["call"] = "\(C.method)"
        details["admin_id"] = "\(visit.person.id)"
        details["request_id"] = "\(visit.id)"
        do {
            try await authCall(Auth.Audit(action: action, by: visit.actor), for: visit)
            _ = try await service.call(call, request: visit.id, timeout: Self.callTimeout)
            details["outcome"] = "done"
            logger.notice("an admin made a change", metadata: details)
        } catch {
            details["outcome"] = "\(error.code)"
            logger.notice("an admin made a change", metadata: details)
            throw error
        }
    }
}

extension PageProblem {
    fileprivate static let notAnAdmin = PageProblem(
        .forbidden, "For admins only", "This page is for the people who run the site.")
}
