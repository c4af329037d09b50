import Hummingbird
import HummingbirdCore
import Logging
import NIOConcurrencyHelpers
import NIOCore
import ServiceLifecycle
import ServiceRuntime
import SharedProtocol
import Storage

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension WebService {
    /// Puts the service together. The order is that of dependence: what stands first stops last.
    static func build(_ process: ServiceProcess) async throws -> [any ServiceLifecycle.Service] {
        let configuration = process.configuration.current
        let folder = configuration.app.runDirectory
        let database = try openDatabase(configuration)
        let identity = process.identity
        let limiter = RateLimiter(shared: try configuration.rateLimiting.storage.map { try SharedCounters(at: $0) })
        // A supervisor may start each web under the same name; what a dead one left behind is not this one's.
        let owner = InstanceID("\(identity.instance)-\(InstanceID.random())")
        let presence = Presence(database: database, instance: owner)
        try await presence.renew()
        let authClient = try CallClient(to: folder + "/auth.sock", as: identity, on: process.group)
        let auth = CircuitBreaker(authClient, name: .auth)
        let live = LiveRequests()
        let running = RunningRequests()
        let ledger = try CallClient(
            to: folder + "/ledger.sock", as: identity, on: process.group,
            assertions: { [live.assertion(by: owner)] })
        // A request for a model waits by rules of its own.
        let ledgerForPages = CircuitBreaker(ledger, name: .ledger)
        let lease = LeaseKeeper(owner: owner, live: live, ledger: ledger)
        let routers = RouterPool(in: folder) {
            try CallClient(to: $0, as: identity, on: process.group, returns: false)
        }

        let failures = AddressLimiter { process.configuration.current.api.failedAuthLimit }
        let identities = Identities(
            auth: auth, configuration: process.configuration, failures: failures, onRevision: running.heard)
        let settler = Settler(
            ledger: ledger, pending: PendingPosts(database, owner: owner), live: live)
        let call = ChatCall(
            owner: owner, configuration: process.configuration, limiter: limiter, ledger: ledger,
            routers: routers, settler: settler, live: live, running: running, executor: process.executor)
        let desk = AnswerDesk(
            store: ChatStore(database: database, writer: owner), begin: call.forChat,
            drain: { process.configuration.current.routing.drain }, logger: Logger(label: "chat"))
        let site = try site(
            process, auth: auth, ledger: ledgerForPages, routers: routers, desk: desk, limiter: limiter)
        let idempotencyKeys = IdempotencyKeys(database, writer: owner)
        let presences = ClientPresences { process.configuration.current.routing.clientStall }
        let responder = WebResponder(
            v1: V1(call: call, identities: identities, presences: presences, idempotencyKeys: idempotencyKeys),
            health: HealthPage(auth: authClient, ledger: ledger, routers: routers),
            pages: site.responder)
        let isListening = NIOLockedValueBox(false)
        let status = CallServer(
            identity, socket: folder + "/web.sock", calls: CallTable(), on: process.group,
            problems: {
                let listens = isListening.withLockedValue { $0 }
                return (listens ? [] : ["It does not listen yet."]) + (routers.isReady ? [] : ["No router answers."])
            })
        return [
            presence, idempotencyKeys, settler, lease, ledgerForPages, routers, auth, identities,
            AccessWatch(running: running, auth: authClient), presences, status, desk,
            httpServer(responder, presences, process) { isListening.withLockedValue { $0 = true } },
        ]
    }

    private static func site(
        _ process: ServiceProcess, auth: any Caller, ledger: any Caller, routers: RouterPool, desk: AnswerDesk,
        limiter: RateLimiter
    ) throws -> Site {
        let configuration = process.configuration
        do throws(SiteFilesMissing) {
            return try Site(
                configuration: { configuration.current }, auth: auth, ledger: ledger,
                endpoints: { await routers.endpoints(timeout: Site.callTimeout).flatMap { $0 } }, desk: desk,
                limiter: limiter,
                environment: ProcessInfo.processInfo.environment, logger: Logger(label: "site"))
        } catch {
            throw UnusableConfiguration(error.description)
        }
    }

    private static func openDatabase(_ configuration: LumenConfiguration) throws -> ServiceDatabase {
        do throws(StorageProblem) {
            let location = DatabaseLocation(
                of: .web, beside: configuration.app.databaseURL, pool: configuration.app.databasePool)
            return try ServiceDatabase(at: location, migrations: webMigrations, logger: Logger(label: "storage"))
        } catch {
            // What may pass by itself is no mistake of the configuration: the supervisor tries again.
            if error.isTransient { throw error }
            throw UnusableConfiguration(error.description)
        }
    }

    private static func httpServer(
        _ responder: some HTTPResponder<WebContext>, _ presences: ClientPresences, _ process: ServiceProcess,
        whenListening: @escaping @Sendable () -> Void
    ) -> any ServiceLifecycle.Service {
        let listen = process.configuration.current.app.listen
        let logger = Logger(label: "http")
        return RequestHandler(responder, presences, on: process.executor, logger: logger).server(
            configuration: ServerConfiguration(address: .hostname(listen.host, port: listen.port), backlog: 4096),
            onServerRunning: { _ in whenListening() }, eventLoopGroup: process.group, logger: logger)
    }
}
