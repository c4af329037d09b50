import FoundationEssentials
import Glibc
import NIOConcurrencyHelpers
import NIOPosix
import SharedProtocol
import Testing

@testable import lumen

/// Runs until it is told to stop.
private let sleeper = "exec sleep 1000"

/// Notes that it was asked to stop.
private func stopper(_ name: String) -> String {
    "trap 'echo \(name) >> stopped; exit 0' TERM; while :; do sleep 0.01; done"
}

@Suite(.timeLimit(.minutes(1)))
struct SupervisorTests {
    @Test func aKilledChildIsStartedAgainAtOnce() async throws {
        let site = try FakeSite()
        try site.write(.auth, sleeper)
        let supervisor = try site.supervisor([.auth])
        let run = Task { try await supervisor.run() }
        try await eventually { site.pids(.auth).count == 1 }
        let first = await supervisor.report.children[0]
        kill(site.pids(.auth)[0], SIGKILL)
        try await eventually { site.pids(.auth).count == 2 }
        let second = await supervisor.report.children[0]
        #expect(second.restarts == 1)
        #expect(second.instance != first.instance)
        #expect(second.pid == site.pids(.auth)[1])
        #expect(isGone(site.pids(.auth)[0]))
        run.cancel()
        try await run.value
        #expect(isGone(site.pids(.auth)[1]))
    }

    @Test func aKilledChildsSocketIsCleared() async throws {
        let site = try FakeSite()
        try site.write(.router, "touch run/router-$2.sock; " + sleeper)
        let supervisor = try site.supervisor([.router])
        let run = Task { try await supervisor.run() }
        try await eventually { try names(in: site).count == 1 }
        let first = try names(in: site)
        kill(site.pids(.router)[0], SIGKILL)
        try await eventually { try names(in: site) != first && names(in: site).count == 1 }
        run.cancel()
        try await run.value
        #expect(try names(in: site).isEmpty)
    }

    private func names(in site: FakeSite) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: site.runDirectory)
    }

    @Test func stoppingGoesFromWebToTheStores() async throws {
        let site = try FakeSite()
        let services = [ServiceName.auth, .ledger, .router, .web]
        for service in services { try site.write(service, stopper(service.rawValue)) }
        let supervisor = try site.supervisor(services)
        let run = Task { try await supervisor.run() }
        try await eventually { services.allSatisfy { site.pids($0).count == 1 } }
        // The trap is set a moment after the number is noted.
        try await Task.sleep(for: .milliseconds(200))
        run.cancel()
        try await run.value
        let order = site.lines(of: "stopped")
        #expect(order.prefix(2) == ["web", "router"])
        #expect(Set(order.dropFirst(2)) == ["auth", "ledger"])
        #expect(services.allSatisfy { isGone(site.pids($0)[0]) })
    }

    @Test func aChildThatDoesNotStopIsKilled() async throws {
        let site = try FakeSite()
        try site.write(.router, "trap '' TERM; echo ready > ready; while :; do sleep 0.01; done")
        let supervisor = try site.supervisor([.router])
        let run = Task { try await supervisor.run() }
        try await eventually { site.lines(of: "ready").count == 1 }
        run.cancel()
        try await run.value
        #expect(isGone(site.pids(.router)[0]))
    }

    @Test func aBadConfigurationEndsTheOthersToo() async throws {
        let site = try FakeSite()
        try site.write(.auth, sleeper)
        try site.write(.web, "while [ ! -s auth.pids ]; do sleep 0.01; done; exit 78")
        let supervisor = try site.supervisor([.auth, .web])
        let failure = await #expect(throws: Supervisor.Failure.self) { try await supervisor.run() }
        #expect(failure?.exitStatus == 78)
        #expect(failure?.description.contains("web-service") == true)
        #expect(isGone(site.pids(.auth)[0]))
        #expect(site.pids(.web).count == 1)
    }

    @Test func readyWhenEveryChildAnswers() async throws {
        let site = try FakeSite()
        try site.write(.auth, sleeper)
        try site.write(.ledger, sleeper)
        let announced = NIOLockedValueBox(0)
        let supervisor = try site.supervisor([.auth, .ledger]) { announced.withLockedValue { $0 += 1 } }
        let run = Task { try await supervisor.run() }
        let auth = answer(as: .auth, in: site)
        try await eventually { await supervisor.report.children[0].state == .running }
        #expect(announced.withLockedValue { $0 } == 0)
        let ledger = answer(as: .ledger, in: site)
        try await eventually { announced.withLockedValue { $0 } == 1 }
        kill(site.pids(.ledger)[0], SIGKILL)
        try await eventually { await supervisor.report.children[1].restarts == 1 }
        try await eventually { await supervisor.report.children[1].state == .running }
        for task in [run, auth, ledger] { task.cancel() }
        try await run.value
        #expect(announced.withLockedValue { $0 } == 1)
    }

    @Test func webIsReadyWhenItCanServeTheOthersWhenTheyAnswer() async throws {
        let site = try FakeSite()
        try site.write(.auth, sleeper)
        try site.write(.web, sleeper)
        let problems = NIOLockedValueBox(["No router answers."])
        let supervisor = try site.supervisor([.auth, .web])
        let run = Task { try await supervisor.run() }
        let auth = answer(as: .auth, in: site) { ["The disk is full."] }
        let web = answer(as: .web, in: site) { problems.withLockedValue { $0 } }
        try await eventually { await supervisor.report.children[0].state == .running }
        #expect(await supervisor.report.children[1].state == .starting)
        problems.withLockedValue { $0 = [] }
        try await eventually { await supervisor.report.children[1].state == .running }
        for task in [run, auth, web] { task.cancel() }
        try await run.value
    }

    /// Stands in for the service that the sleeping script is not.
    private func answer(
        as service: ServiceName, in site: FakeSite, problems: @escaping @Sendable () -> [String] = { [] }
    ) -> Task<Void, any Error> {
        let identity = ServiceIdentity(service: service, instance: .random(), pid: getpid())
        let server = CallServer(
            identity, socket: site.runDirectory + "/" + service.socketName(of: identity.instance), calls: CallTable(),
            on: .singletonMultiThreadedEventLoopGroup, problems: problems)
        return Task { try await server.run() }
    }
}

@Suite(.timeLimit(.minutes(1)))
struct ChildProcessTests {
    @Test func aChildInheritsNothingButItsOutputAndThePipe() async throws {
        let site = try FakeSite()
        try site.write(.auth, sleeper)
        let careless = open("/dev/null", O_RDONLY)
        defer { close(careless) }
        let pipe = try SupervisorPipe()
        let child = try ChildProcess(
            site.plan(.auth).executable, arguments: [], environment: ["PATH": "/usr/bin:/bin"], pipe: pipe.readEnd)
        try await eventually { status(of: child.pid, "Name") == "sleep" }
        let files = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(child.pid)/fd")
        // Other tests open files at the same time, so that more than these may be there.
        #expect(Set(files).isSuperset(of: ["0", "1", "2", "3"]))
        #expect(!files.contains("\(careless)"))
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(child.pid)/fd/0") == "/dev/null")
        #expect(getpgid(child.pid) == child.pid)
        // NIO ignores SIGPIPE in this process; a child begins with every signal as it was meant, but for the two that
        // the C library keeps to itself.
        let ignored = status(of: child.pid, "SigIgn").flatMap { UInt64($0, radix: 16) }
        #expect(ignored.map { $0 & ~(0b11 << 31) } == 0)
        #expect(status(of: child.pid, "SigBlk") == "0000000000000000")
        child.send(SIGKILL)
        #expect(await child.exit() == .signal(SIGKILL))
        #expect(isGone(child.pid))
    }

    @Test func aProgramThatIsNotThereCannotBeStarted() throws {
        let pipe = try SupervisorPipe()
        #expect(throws: OperatorError.self) {
            try ChildProcess("/nowhere/auth-service", arguments: [], environment: [:], pipe: pipe.readEnd)
        }
    }

    /// A line of `/proc/PID/status`.
    private func status(of pid: pid_t, _ name: String) -> String? {
        guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/status") else { return nil }
        let line = String(decoding: data, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix(name + ":") }
        return line.map { String($0.dropFirst(name.count + 1).drop(while: \.isWhitespace)) }
    }
}
