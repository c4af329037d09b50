import Logging
import NIOCore
import SharedProtocol
import Storage

/// What auth-service answers, call by call.
struct AuthCalls: Sendable {
    let lastUse: LastUseWriter
    /// Nil when there is no other instance to follow.
    let follower: RevocationFollower?
    let fileGroups: FileGroups
    private let database: ServiceDatabase
    private let sessions: Sessions
    private let login: Login
    private let keys: APIKeys
    private let directory: UserDirectory
    private let users: UserAdministration
    private let groupDirectory: GroupDirectory
    private let groups: GroupAdministration
    private let changes: AuditedChanges
    private let revocations: RevocationFeed

    /// Takes up the state that the database has, and brings its groups up to date with the file's.
    ///
    /// - Parameters:
    ///   - configuration: the one in force, asked for with each call.
    ///   - timers: where the waits of revocation streams are kept.
    init(
        _ database: ServiceDatabase, configuration: @escaping @Sendable () -> LumenConfiguration,
        clock: @escaping @Sendable () -> Timestamp, timers: any EventLoopGroup, logger: Logger
    ) async throws(CallError) {
        self.database = database
        revocations = RevocationFeed(try await database.read(Revision.current), timers: timers)
        follower = RevocationFollower(database, revocations)
        lastUse = LastUseWriter(database, logger: logger)
        changes = AuditedChanges(database: database, revocations: revocations, clock: clock, logger: logger)
        sessions = Sessions(database, revocations, lastUse, configuration: configuration, clock: clock, logger: logger)
        login = Login(
            LoginStore(database, revocations, configuration: configuration, logger: logger),
            configuration: configuration, clock: clock, logger: logger)
        keys = APIKeys(changes, lastUse, configuration: configuration, clock: clock, logger: logger)
        directory = UserDirectory(database: database, configuration: configuration)
        users = UserAdministration(changes: changes, directory: directory)
        groupDirectory = GroupDirectory(database: database, configuration: configuration)
        groups = GroupAdministration(changes: changes, configuration: configuration)
        fileGroups = FileGroups(changes, configuration: configuration, logger: logger)
        try await fileGroups.synchronise()
    }

    var table: CallTable {
        var table = CallTable()
        addKeys(to: &table)
        addSessions(to: &table)
        addUsers(to: &table)
        addGroups(to: &table)
        addAudit(to: &table)
        table.onStream(Auth.FollowRevocations.self) { _, _, context, events throws(CallError) in
            try await revocations.stream(to: events, until: context.deadline)
        }
        return table
    }

    private func addKeys(to table: inout CallTable) {
        table.on(Auth.Authenticate.self) { call, _ throws(CallError) in try await keys.authenticate(call.key) }
        table.on(Auth.CreateKey.self) { call, context throws(CallError) in
            try await keys.create(call, context.request)
        }
        table.on(Auth.ListKeys.self) { call, _ throws(CallError) in try await keys.list(of: call.user) }
        table.on(Auth.RevokeKey.self) { call, context throws(CallError) in
            try await keys.revoke(call, context.request)
        }
        table.on(Auth.FindEnded.self) { [database, changes] call, _ throws(CallError) in
            try await EndedAccess.find(call, at: changes.clock(), in: database)
        }
    }

    private func addSessions(to table: inout CallTable) {
        table.on(Auth.ResumeSession.self) { call, _ throws(CallError) in try await sessions.resume(call.session) }
        table.on(Auth.DevLogin.self) { call, context throws(CallError) in
            try await sessions.openForDevUser(call.browser, context.request)
        }
        table.on(Auth.BeginLogin.self) { call, context throws(CallError) in
            try await login.begin(call, context.request)
        }
        table.on(Auth.FinishLogin.self) { call, context throws(CallError) in
            try await login.finish(call, context.request)
        }
        table.on(Auth.CloseSession.self) { call, context throws(CallError) in
            try await sessions.close(call.session, context.request)
        }
        table.on(Auth.ListSessions.self) { call, _ throws(CallError) in try await sessions.list(call) }
        table.on(Auth.EndSession.self) { call, context throws(CallError) in
            try await sessions.end(call, context.request)
        }
        table.on(Auth.EndOtherSessions.self) { call, context throws(CallError) in
            try await sessions.endOthers(call, context.request)
        }
    }

    private func addUsers(to table: inout CallTable) {
        table.on(Auth.FindUsers.self) { call, _ throws(CallError) in try await directory.find(call) }
        table.on(Auth.GetUser.self) { call, _ throws(CallError) in try await directory.get(call.user) }
        table.on(Auth.FindUser.self) { call, _ throws(CallError) in try await directory.get(call) }
        table.on(Auth.NamesOf.self) { call, _ throws(CallError) in try await directory.names(of: call.users) }
        table.on(Auth.CreateUser.self) { call, context throws(CallError) in
            try await users.create(call, context.request)
        }
        table.on(Auth.SetUserDisabled.self) { call, context throws(CallError) in
            try await users.setDisabled(call, context.request)
        }
        table.on(Auth.UnlinkUser.self) { call, context throws(CallError) in
            try await users.unlink(call, context.request)
        }
    }

    private func addGroups(to table: inout CallTable) {
        table.on(Auth.ListGroups.self) { _, _ throws(CallError) in try await groupDirectory.list() }
        table.on(Auth.ListMembers.self) { call, _ throws(CallError) in try await groupDirectory.members(call) }
        table.on(Auth.CreateGroup.self) { call, context throws(CallError) in
            try await groups.create(call, context.request)
        }
        table.on(Auth.RenameGroup.self) { call, context throws(CallError) in
            try await groups.rename(call, context.request)
        }
        table.on(Auth.SetGroupDisabled.self) { call, context throws(CallError) in
            try await groups.setDisabled(call, context.request)
        }
        table.on(Auth.SetMember.self) { call, context throws(CallError) in
            try await groups.setMember(call, context.request)
        }
    }

    private func addAudit(to table: inout CallTable) {
        table.on(Auth.ReadAudit.self) { [database] call, _ throws(CallError) in
            try checkPage(limit: call.limit)
            return try await database.read { try AuditLog.read(call, $0) }
        }
        table.on(Auth.Audit.self) { [changes] call, context throws(CallError) in
            if call.action.name.isEmpty { throw CallError(.refused, "An entry of the audit log names an action.") }
            try await changes.make(by: call.by, context.request) { try $0.note(call.action) }
            return Done()
        }
        table.on(Auth.VerifyAudit.self) { [database] _, _ throws(CallError) in
            try await database.read(isLong: true, AuditLog.verify)
        }
    }
}

extension Logger {
    /// One line for a change that somebody made, to be found by the request that asked for it.
    func change(_ what: Logger.Message, _ request: RequestID?, user: UserID? = nil, key: KeyID? = nil) {
        var metadata: Logger.Metadata = [:]
        metadata["request_id"] = request.map { .string($0.rawValue) }
        metadata["user_id"] = user.map { .stringConvertible($0.rawValue) }
        metadata["key_id"] = key.map { .stringConvertible($0.rawValue) }
        info(what, metadata: metadata)
    }
}
