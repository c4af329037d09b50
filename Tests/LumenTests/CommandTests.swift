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
        let identity = ServiceIdentity(service: .auth, instance: .random(), pid: 1)
        let server = CallServer(
            identity, socket: site.runDirectory + "/auth.sock", calls: calls, on: .singletonMultiThreadedEventLoopGroup)
        let run = Task { try await server.run() }
        #expect(try await exitOfKeyCreate(in: site) == ExitCode(1))
        run.cancel()
        try await run.value
    }

    private func exitOfKeyCreate(in site: FakeSite) async throws -> ExitCode? {
        let arguments = ["--config", site.configurationPath, "--user", "a@b.edu", "--name", "t"]
        let command = try KeyCommand.Create.parse(arguments)
        return await #expect(throws: ExitCode.self) { try await command.run() }
    }
}
