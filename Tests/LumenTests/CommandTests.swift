import ArgumentParser
import NIOPosix
import SharedProtocol
import Testing

@testable import lumen

/// What scripts rely on: the exit status of the commands.
@Suite(.timeLimit(.minutes(1)))
struct CommandTests {
    @Test func checkFailsForAMisspeltKeyOnly() throws {
        let site = try FakeSite()
        try site.configure()
        try CheckCommand.parse(["--config", site.configurationPath]).run()
        try site.configure(FakeSite.configuration + "chatt: {}\n")
        let exit = #expect(throws: ExitCode.self) {
            try CheckCommand.parse(["--config", site.configurationPath]).run()
        }
        #expect(exit == ExitCode(1))
    }

    @Test func verifyingNeedsTheLedger() async throws {
        let site = try FakeSite()
        try site.configure()
        let command = try LedgerCommand.Verify.parse(["--config", site.configurationPath])
        let exit = await #expect(throws: ExitCode.self) { try await command.run() }
        #expect(exit == ExitCode(69))
    }

    @Test func verifyingTheAuditLogNeedsTheAuthService() async throws {
        let site = try FakeSite()
        try site.configure()
        #expect(try await exitOfAuditVerify(in: site) == ExitCode(69))
    }

    @Test(arguments: [nil, "entry 3 is missing"]) func aBrokenChainIsAFailure(fault: String?) async throws {
        let site = try FakeSite()
        try site.configure()
        var calls = CallTable()
        calls.on(Auth.VerifyAudit.self) { _, _ throws(CallError) in
            Auth.AuditVerification(entries: 2, head: "ab", fault: fault)
        }
        let exit = try await serving(calls, as: .auth, in: site) { try await exitOfAuditVerify(in: site) }
        #expect(exit == (fault == nil ? nil : ExitCode(1)))
    }

    private func exitOfAuditVerify(in site: FakeSite) async throws -> ExitCode? {
        let command = try AuditCommand.Verify.parse(["--config", site.configurationPath])
        do {
            try await command.run()
            return nil
        } catch let exit as ExitCode {
            return exit
        }
    }

    @Test func routersNeedASupervisorOfOurs() async throws {
        let site = try FakeSite()
        try site.configure()
        let arguments = ["--config", site.configurationPath]
        let add = try RouterCommand.Add.parse(arguments)
        #expect(await #expect(throws: ExitCode.self) { try await add.run() } == ExitCode(69))
        let drain = try RouterCommand.Drain.parse(["abcd"] + arguments)
        #expect(await #expect(throws: ExitCode.self) { try await drain.run() } == ExitCode(69))
    }

    @Test func aKeyNeedsTheAuthService() async throws {
        let site = try FakeSite()
        try site.configure()
        #expect(try await exitOfKeyCreate(in: site) == ExitCode(69))
    }

    @Test func aRefusedKeyIsAFailure() async throws {
        let site = try FakeSite()
        try site.configure()
        var calls = CallTable()
        calls.on(Auth.CreateKey.self) { call, _ throws(CallError) in
            #expect(call.owner == .email("a@b.edu"))
            #expect(call.name == "t")
            throw CallError(.refused, "too many keys")
        }
        let exit = try await serving(calls, as: .auth, in: site) { try await exitOfKeyCreate(in: site) }
        #expect(exit == ExitCode(1))
    }

    private func serving(
        _ calls: CallTable, as service: ServiceName, in site: FakeSite, _ body: () async throws -> ExitCode?
    ) async throws -> ExitCode? {
        let identity = ServiceIdentity(service: service, instance: .random(), pid: 1)
        let server = CallServer(
            identity, socket: "\(site.runDirectory)/\(service).sock", calls: calls,
            on: .singletonMultiThreadedEventLoopGroup)
        let run = Task { try await server.run() }
        let exit = try await body()
        run.cancel()
        try await run.value
        return exit
    }

    @Test func aKeysTermsAreUnderstood() throws {
        let required = ["--config", "c", "--user", "a@b.edu", "--name", "t"]
        func parse(_ more: String...) throws -> KeyCommand.Create { try KeyCommand.Create.parse(required + more) }
        let now = Timestamp(1_000_000)
        #expect(try parse().expires == nil)
        #expect(try parse("--expires", "90d").expires?.moment(after: now) == Timestamp(1_000_000 + 90 * 86_400_000))
        #expect(try parse("--expires", "1970-01-02T00:00:00Z").expires?.moment(after: now) == Timestamp(86_400_000))
        #expect(
            try parse("--expires", "1970-01-02T01:00:00+01:00").expires?.moment(after: now) == Timestamp(86_400_000))
        for wrong in ["", "soon", "-1d", "2027-13-01T00:00:00Z"] {
            #expect(throws: (any Error).self) { try parse("--expires=\(wrong)") }
        }
        #expect(try parse("--model", "a", "--model", "b/c").models == ["a", "b/c"])
    }

    private func exitOfKeyCreate(in site: FakeSite) async throws -> ExitCode? {
        let arguments = ["--config", site.configurationPath, "--user", "a@b.edu", "--name", "t"]
        let command = try KeyCommand.Create.parse(arguments)
        return await #expect(throws: ExitCode.self) { try await command.run() }
    }
}
