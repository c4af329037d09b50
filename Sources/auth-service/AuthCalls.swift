import Logging
import NIOCore
import SharedProtocol
import Storage

/// What auth-service answers, call by call.
struct AuthCalls: Sendable {
    let lastUse: LastUseWriter
    /// Nil when there is no other instance to follow.
    let follower: RevocationFollower?
    private let sessions: Sessions
    private let login: Login
    private let keys: APIKeys
    private let directory: UserDirectory
    private let revocations: RevocationFeed

    /// Takes up the state that the database has.
    ///
    /// - Parameters:
    ///   - configuration: the one in force, asked for with each call.
    ///   - timers: where the waits of revocation streams are kept.
    init(
        _ database: ServiceDatabase, configuration: @escaping @Sendable () -> LumenConfiguration,
        clock: @escaping @Sendable () -> Timestamp, timers: any EventLoopGroup, logger: Logger
    ) async throws(CallError) {
        revocations = RevocationFeed(try await database.read(Revision.current), timers: timers)
        follower = database.engine == .sqlite ? nil : RevocationFollower(database: database, feed: revocations)
        lastUse = LastUseWriter(database, logger: logger)
        sessions = Sessions(database, revocations, lastUse, configuration: configuration, clock: clock, logger: logger)
        login = Login(
            LoginStore(database, revocations, logger: logger), configuration: configuration, clock: clock,
            logger: logger)
        keys = APIKeys(database, revocations, lastUse, configuration: configuration, clock: clock, logger: logger)
        directory = UserDirectory(database: database)
    }

    var table: CallTable {
        var table = CallTable()
        table.on(Auth.Authenticate.self) { call, _ throws(CallError) in try await keys.authenticate(call.key) }
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
        table.on(Auth.CreateKey.self) { call, context throws(CallError) in
            try await keys.create(call, context.request)
        }
        table.on(Auth.ListKeys.self) { call, _ throws(CallError) in try await keys.list(of: call.user) }
        table.on(Auth.RevokeKey.self) { call, context throws(CallError) in
            try await keys.revoke(call.key, of: call.user, context.request)
        }
        table.on(Auth.FindUsers.self) { call, _ throws(CallError) in try await directory.find(call) }
        table.on(Auth.GetUser.self) { call, _ throws(CallError) in try await directory.get(call.user) }
        table.on(Auth.NamesOf.self) { call, _ throws(CallError) in try await directory.names(of: call.users) }
        table.onStream(Auth.FollowRevocations.self) { _, _, context, events throws(CallError) in
            try await revocations.stream(to: events, until: context.deadline)
        }
        return table
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
