import FoundationEssentials
import Glibc
import NIOPosix
import SharedProtocol
import Testing

@testable import lumen

/// Routers that come and go while the site runs.
@Suite(.timeLimit(.minutes(1)))
struct SupervisorRouterTests {
    private static let router = "touch run/router-$2.sock; exec sleep 1000"

    @Test func anAddedRouterIsKeptAlive() async throws {
        try await Self.running { site, supervisor in
            let place = Task { try await supervisor.addRouter() }
            try await eventually { site.pids(.router).count == 2 }
            kill(site.pids(.router)[1], SIGKILL)
            try await eventually { site.pids(.router).count == 3 }
            #expect(await supervisor.report.children.map(\.restarts) == [0, 1])
            place.cancel()
        }
    }

    @Test func aDrainedRouterLeavesAndIsNotStartedAgain() async throws {
        try await Self.running { site, supervisor in
            let instances = try await Self.two(site, supervisor)
            let told = try await supervisor.drainRouter(instances[0])
            #expect(told.state == .draining)
            try await eventually { await supervisor.report.children.map(\.instance) == [instances[1]] }
            #expect(isGone(site.pids(.router)[0]))
            #expect(site.pids(.router).count == 2)
        }
    }

    @Test func theOnlyRouterIsNotDrained() async throws {
        try await Self.running { site, supervisor in
            let instances = try await Self.two(site, supervisor)
            _ = try await supervisor.drainRouter(instances[0])
            let refusal = await #expect(throws: CallError.self) { try await supervisor.drainRouter(instances[1]) }
            #expect(refusal?.code == .refused)
            let unknown = await #expect(throws: CallError.self) { try await supervisor.drainRouter(InstanceID("x")) }
            #expect(unknown?.code == .notFound)
        }
    }

    /// Runs a supervisor of one router while `body` runs.
    private static func running(_ body: (FakeSite, Supervisor) async throws -> Void) async throws {
        let site = try FakeSite()
        try site.write(.router, router)
        let supervisor = try site.supervisor([.router])
        let run = Task { try await supervisor.run() }
        try await eventually { site.pids(.router).count == 1 }
        try await body(site, supervisor)
        run.cancel()
        try await run.value
        #expect(site.pids(.router).allSatisfy { isGone($0) })
    }

    /// Adds a second router, and answers for both, so that each is taken for ready.
    private static func two(_ site: FakeSite, _ supervisor: Supervisor) async throws -> [InstanceID] {
        let second = Task { try await supervisor.addRouter() }
        try await eventually { site.pids(.router).count == 2 }
        let instances = await supervisor.report.children.map(\.instance)
        let servers = instances.map { instance in
            let identity = ServiceIdentity(service: .router, instance: instance, pid: getpid())
            let socket = site.runDirectory + "/" + ServiceName.router.socketName(of: instance)
            let server = CallServer(
                identity, socket: socket, calls: CallTable(), on: .singletonMultiThreadedEventLoopGroup)
            return Task { try await server.run() }
        }
        try await eventually { await supervisor.report.children.allSatisfy { $0.state == .running } }
        #expect(try await second.value.state == .running)
        for server in servers { server.cancel() }
        return instances
    }
}
