import Glibc
import NIOCore
import NIOPosix
import Testing

@testable import SharedProtocol

/// Calls between a real client and a real server over a Unix socket.
@Suite struct CallTests {
    @Test func aCallIsAnswered() async throws {
        try await withServer { path in
            try await withClient(to: path) { client in
                let text = "quotes \" and \\ and ü and \u{1F600}"
                let answer = try await echo(text, by: client)
                #expect(answer == text)
            }
        }
    }

    @Test func aThousandCallsInFlightEachGetTheirOwnAnswer() async throws {
        try await withServer { path in
            try await withClient(to: path) { client in
                try await withThrowingTaskGroup(of: Bool.self) { group in
                    for number in 0..<1000 {
                        group.addTask {
                            try await client.call(Echo(text: "\(number)"), timeout: .seconds(20)).text == "\(number)"
                        }
                    }
                    for try await isRight in group { #expect(isRight) }
                }
            }
        }
    }

    @Test func anUnknownMethodIsNamed() async throws {
        try await withServer(CallTable()) { path in
            try await withClient(to: path) { client in
                let error = await #expect(throws: CallError.self) {
                    try await client.call(Echo(text: ""), timeout: .seconds(5))
                }
                #expect(error?.code == .unknownMethod)
            }
        }
    }

    @Test func aPeerThatNeverAnswersRunsIntoTheDeadline() async throws {
        try await withServer { path in
            try await withClient(to: path) { client in
                // Connected first: a call that was not yet written by its deadline is told that nobody could be reached.
                _ = try await echo("first", by: client)
                let error = await #expect(throws: CallError.self) {
                    try await client.call(Wait(milliseconds: 2000), timeout: .milliseconds(50))
                }
                #expect(error?.code == .deadlineExceeded)
                let answer = try await echo("on", by: client)
                #expect(answer == "on")
            }
        }
    }

    @Test func anAbsentPeerIsUnavailable() async throws {
        try await withClient(to: "/tmp/lumen-no-such.sock") { client in
            let error = await #expect(throws: CallError.self) {
                try await client.call(Echo(text: ""), timeout: .milliseconds(100))
            }
            #expect(error?.code == .unavailable)
        }
    }

    @Test func aPeerThatAcceptsButSaysNothingIsUnavailable() async throws {
        let folder = try temporaryFolder()
        let path = folder + "/s.sock"
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(unixDomainSocketPath: path).get()
        try await withClient(to: path) { client in
            let error = await #expect(throws: CallError.self) {
                try await client.call(Echo(text: ""), timeout: .milliseconds(200))
            }
            #expect(error?.code == .unavailable)
            let streamError = await #expect(throws: CallError.self) {
                try await client.open(Count(count: 1), timeout: .seconds(5))
            }
            #expect(streamError?.code == .unavailable)
        }
        try await listener.close()
        unlink(path)
        rmdir(folder)
    }

    @Test func callsSurviveARestartOfThePeer() async throws {
        let folder = try temporaryFolder()
        let path = folder + "/s.sock"
        try await withClient(to: path) { client in
            for round in 0..<3 {
                let server = CallServer(
                    testIdentity(), socket: path, calls: testTable(), on: MultiThreadedEventLoopGroup.singleton)
                let running = Task { try await server.run() }
                // Sent before the socket exists: the call waits for it.
                let answer = try await echo("\(round)", by: client)
                #expect(answer == "\(round)")
                running.cancel()
                try await running.value
            }
        }
        rmdir(folder)
    }

    @Test func onlyAnIdempotentCallIsSentAgain() async throws {
        try await withDroppingServer { path, accepted in
            try await withClient(to: path) { client in
                let error = await #expect(throws: CallError.self) {
                    try await client.call(Wait(milliseconds: 0), timeout: .seconds(5))
                }
                #expect(error?.code == .connectionLost)
                accepted.reset()
                let answer = try await echo("hi", by: client)
                #expect(answer == "hi")
            }
        }
    }

    @Test func aSecondServerOnTheSameSocketIsRefused() async throws {
        try await withServer { path in
            let second = CallServer(
                testIdentity(), socket: path, calls: CallTable(), on: MultiThreadedEventLoopGroup.singleton)
            let error = await #expect(throws: CallError.self) { try await second.run() }
            #expect(error?.code == .refused)
        }
    }

    @Test func aDeadSocketIsRemovedAndALivingOneIsNot() async throws {
        let folder = try temporaryFolder()
        let dead = folder + "/dead.sock"
        close(open(dead, O_CREAT | O_WRONLY, 0o600))
        SocketFile.removeIfDead(dead)
        #expect(access(dead, F_OK) != 0)
        rmdir(folder)
        try await withServer { path in
            SocketFile.removeIfDead(path)
            #expect(access(path, F_OK) == 0)
        }
    }

    @Test func stoppingLetsARunningCallFinish() async throws {
        let folder = try temporaryFolder()
        let path = folder + "/s.sock"
        let isStopping = NIOLockedBox(false)
        let hasBegun = NIOLockedBox(false)
        var table = CallTable()
        table.on(Wait.self) { _, _ throws(CallError) in
            hasBegun.update { $0 = true }
            while !isStopping.value { try? await Task.sleep(for: .milliseconds(5)) }
            return Done()
        }
        let server = CallServer(
            testIdentity(), socket: path, calls: table, on: MultiThreadedEventLoopGroup.singleton)
        let running = Task { try await server.run() }
        try await withClient(to: path) { client in
            async let slow = client.call(Wait(milliseconds: 0), timeout: .seconds(30))
            while !hasBegun.value { try await Task.sleep(for: .milliseconds(5)) }
            running.cancel()
            while access(path, F_OK) == 0 { try await Task.sleep(for: .milliseconds(5)) }
            isStopping.update { $0 = true }
            _ = try await slow
        }
        try await running.value
        rmdir(folder)
    }

    /// What a restarted peer must know again is said before any call that waited for it.
    @Test func assertionsGoFirstOnEachConnection() async throws {
        let folder = try temporaryFolder()
        let path = folder + "/s.sock"
        let heard = NIOLockedBox<[String]>([])
        var table = CallTable()
        table.on(Echo.self) { call, _ throws(CallError) in
            heard.update { $0.append(call.text) }
            return call
        }
        let client = try CallClient(
            to: path, as: testIdentity(.web), on: MultiThreadedEventLoopGroup.singleton,
            assertions: { [Echo(text: "assertion")] })
        for round in 0..<2 {
            let server = CallServer(
                testIdentity(), socket: path, calls: table, on: MultiThreadedEventLoopGroup.singleton)
            let running = Task { try await server.run() }
            _ = try await echo("call \(round)", by: client)
            _ = try await echo("another", by: client)
            running.cancel()
            try await running.value
            #expect(
                heard.update { heard in
                    defer { heard = [] }; return heard
                } == ["assertion", "call \(round)", "another"])
        }
        client.close()
        rmdir(folder)
    }

    @Test func theSameTableAnswersInProcess() async throws {
        let caller = InProcessCaller(testTable())
        #expect(try await caller.call(Echo(text: "a"), request: nil, timeout: .seconds(1)).text == "a")
        let stream = try await caller.open(
            Count(count: 100, bytes: 5000), body: nil, request: nil, timeout: .seconds(1))
        var seen = 0
        while case let events = try await stream.next(), !events.isEmpty { seen += events.count }
        #expect(seen == 100)
        #expect(try stream.reply == 100)
    }
}

final class NIOLockedCounter: Sendable {
    private let value = NIOLockedBox(0)
    func next() -> Int {
        value.update {
            $0 += 1; return $0
        }
    }
    func reset() { value.update { $0 = 0 } }
}
