import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import SharedProtocol
import Storage

@testable import web_service

/// A `ChatCall` between a ledger and a router that the test scripts, with a real database for kept posts.
final class ChatCallHarness: Sendable {
    struct Record: Sendable {
        var reserves: [Ledger.Reserve] = []
        var posts: [Ledger.Post] = []
        var voids: [RequestID] = []
        /// Requests that the router was given.
        var completions = 0
    }

    struct Script: Sendable {
        var decision = Ledger.Decision.granted(Ledger.Grant(reserved: 100, outputLimit: 10))
        var reserveError: CallError?
        var postError: CallError?
        /// What the router sends; it then replies `completion`, or throws `routerError`.
        var events = ["1", "2", "3"]
        var completion = Router.Completion(
            endpoint: "http://backend/v1", usage: Router.ReportedUsage(prompt: 5, completion: 3), contentEvents: 3,
            contentBytes: 12)
        var routerError: CallError?
        /// After its events the router waits until it is cancelled, and then replies as cancelled.
        var hangs = false
    }

    let record = NIOLockedValueBox(Record())
    let running = RunningRequests()
    let script: NIOLockedValueBox<Script>
    let call: ChatCall
    let settler: Settler
    let pending: PendingPosts

    init(_ script: Script = Script(), limit: String = "1000 per minute") async throws {
        let script = NIOLockedValueBox(script)
        self.script = script
        let ledger = InProcessCaller(Self.ledger(script, record))
        let router = InProcessCaller(Self.router(script, record))
        let configuration = try TestConfiguration.watcher(limit: limit)
        let folder = configuration.current.app.runDirectory
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        _ = FileManager.default.createFile(atPath: folder + "/router-test.sock", contents: nil)
        let location = DatabaseLocation(of: .web, beside: configuration.current.app.databaseURL)
        pending = PendingPosts(
            try ServiceDatabase(at: location, migrations: webMigrations, logger: Logger(label: "test")),
            owner: InstanceID("web"))
        let live = LiveRequests()
        settler = Settler(ledger: ledger, pending: pending, live: live)
        let routers = RouterPool(in: folder) { _ in router }
        call = ChatCall(
            owner: InstanceID("web"), configuration: configuration, limiter: RateLimiter(), ledger: ledger,
            routers: routers, settler: settler, live: live, running: running,
            executor: EventLoopExecutor(MultiThreadedEventLoopGroup.singleton.next()))
        await routers.look()
    }

    static let requester = Requester(
        person: Auth.Person(id: UserID(1), email: "a@b.edu", name: "A", groups: [.everyone], created: .now()),
        key: nil, source: .api)

    func begin(by requester: Requester = requester, _ run: RunningRequest? = nil) async throws(APIError) -> Answer {
        try await call.begin(
            ModelRequest(json: ByteBuffer(string: #"{"model":"a","messages":[{}]}"#)), by: requester, run)
    }

    var recorded: Record { record.withLockedValue { $0 } }

    private static func ledger(
        _ script: NIOLockedValueBox<Script>, _ record: NIOLockedValueBox<Record>
    ) -> CallTable {
        var table = CallTable()
        table.on(Ledger.Reserve.self) { call, _ throws(CallError) in
            record.withLockedValue { $0.reserves.append(call) }
            if let error = script.withLockedValue({ $0.reserveError }) { throw error }
            return script.withLockedValue { $0.decision }
        }
        table.on(Ledger.Post.self) { call, _ throws(CallError) in
            if let error = script.withLockedValue({ $0.postError }) { throw error }
            record.withLockedValue { $0.posts.append(call) }
            return Ledger.Receipt(billed: call.usage.prompt + call.usage.completion, writtenOff: 0, cost: 0)
        }
        table.on(Ledger.Void.self) { call, _ throws(CallError) in
            record.withLockedValue { $0.voids.append(call.request) }
            return Done()
        }
        return table
    }

    private static func router(
        _ script: NIOLockedValueBox<Script>, _ record: NIOLockedValueBox<Record>
    ) -> CallTable {
        var table = CallTable()
        table.on(Instance.Status.self) { _, _ throws(CallError) in
            Instance.Report(
                service: .router, instance: InstanceID("r"), pid: 1, version: "", started: .now(), problems: [])
        }
        table.onStream(Router.Complete.self) { _, _, _, events async throws(CallError) in
            record.withLockedValue { $0.completions += 1 }
            let script = script.withLockedValue { $0 }
            for event in script.events { try await events.send(ByteBuffer(string: event)) }
            if let error = script.routerError { throw error }
            var completion = script.completion
            if script.hangs {
                while !Task.isCancelled { try? await Task.sleep(for: .seconds(60)) }
                completion.isCancelled = true
                completion.usage = nil
            }
            return completion
        }
        return table
    }
}
