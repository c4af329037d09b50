import FoundationEssentials
import Glibc
import SharedProtocol
import Testing

@testable import lumen

/// The real `lumen up`, a copy of it beside scripts in the places of the services.
@Suite(.timeLimit(.minutes(1)))
struct UpCommandTests {
    private static let services: [ServiceName] = [.auth, .ledger, .router, .web]
    /// Leaves when the pipe that the environment names closes, as a service does.
    private static let service = "eval \"read line <&$LUMEN_SUPERVISOR_FD\"; exit 0"

    @Test func noChildOutlivesAKilledSupervisor() async throws {
        let site = try await Self.site()
        let up = try Self.start(site)
        try await eventually { Self.services.allSatisfy { site.pids($0).count == 1 } }
        up.send(SIGKILL)
        #expect(await up.exit() == .signal(SIGKILL))
        try await eventually { Self.services.allSatisfy { isGone(site.pids($0)[0]) } }
        // The lock died with its owner.
        try RunFolder.take(site.runDirectory).release()
    }

    @Test func aSecondOneIsRefused() async throws {
        let site = try await Self.site()
        let up = try Self.start(site)
        try await eventually { Self.services.allSatisfy { site.pids($0).count == 1 } }
        #expect(await (try Self.start(site)).exit() == .status(1))
        #expect(site.lines(of: "errors").contains("lumen: Lumen is already running in \(site.runDirectory)."))
        #expect(Self.services.allSatisfy { site.pids($0).count == 1 })
        up.send(SIGTERM)
        #expect(await up.exit() == .status(0))
        #expect(Self.services.allSatisfy { isGone(site.pids($0)[0]) })
        #expect(try FileManager.default.contentsOfDirectory(atPath: site.runDirectory) == [])
    }

    @Test func aMisspeltKeyStartsNothing() async throws {
        let site = try await Self.site(configuration: FakeSite.configuration + "chatt: {}\n")
        #expect(await (try Self.start(site)).exit() == .status(78))
        #expect(site.lines(of: "errors").contains { $0.contains("config.yaml:7") && $0.contains("chatt") })
        #expect(Self.services.allSatisfy { site.pids($0).isEmpty })
    }

    private static func site(configuration: String = FakeSite.configuration) async throws -> FakeSite {
        let site = try FakeSite()
        for name in services { try site.write(name, service) }
        try site.configure(configuration)
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let built = tests[..<(tests.lastIndex(of: "/") ?? tests.endIndex)]
        // By a process of its own: a child that another test starts meanwhile would hold this one's descriptor, and
        // Linux runs no file that is open for writing (ETXTBSY).
        #expect(await (try Self.run("cp \(built)/lumen \(site.folder)/lumen")).exit() == .status(0))
        return site
    }

    /// Through a shell that keeps what it says on standard error.
    private static func start(_ site: FakeSite) throws -> ChildProcess {
        try run("exec \(site.folder)/lumen up --config \(site.folder)/config.yaml 2>> \(site.folder)/errors")
    }

    private static func run(_ script: String) throws -> ChildProcess {
        let pipe = try SupervisorPipe()
        defer { withExtendedLifetime(pipe) {} }
        return try ChildProcess(
            "/bin/sh", arguments: ["-c", script], environment: ProcessInfo.processInfo.environment,
            pipe: pipe.readEnd)
    }
}
