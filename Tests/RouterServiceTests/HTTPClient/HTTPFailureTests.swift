import HTTPClient
import NIOConcurrencyHelpers
import NIOCore
import Testing

/// Every way for a request to end badly has its own error.
@Suite(.timeLimit(.minutes(1))) struct HTTPFailureTests {
    let client: HTTPClient

    init() throws { client = try HTTPClient() }

    @Test func aRefusedConnection() async throws {
        let url = try await ScriptedBackend.run({ _ in }, during: { $0.url })
        await #expect { try await get(url) } throws: { isConnectFailure($0) }
    }

    @Test func anUnknownHost() async throws {
        await #expect { try await get("http://no-such-host.invalid/") } throws: { isConnectFailure($0) }
    }

    @Test func noFirstByte() async throws {
        let timeouts = HTTPTimeouts(
            connect: .seconds(10), firstByte: .milliseconds(200), idle: .seconds(20), total: .seconds(30))
        let script: ScriptedBackend.Script = { reply in
            // A head is no byte of the answer: backends send it at once and think afterwards.
            try await reply.beginChunks()
            try await reply.closed()
        }
        try await ScriptedBackend.run(script) { backend in
            await #expect(throws: HTTPClientError.timedOut(.firstByte)) { try await get(backend.url, timeouts) }
            try await eventually("the backend sees it close") { backend.closedConnections == 1 }
        }
    }

    @Test func idleInMidBody() async throws {
        let timeouts = HTTPTimeouts(
            connect: .seconds(10), firstByte: .seconds(20), idle: .milliseconds(200), total: .seconds(30))
        let script: ScriptedBackend.Script = { reply in
            try await reply.beginChunks()
            try await reply.chunk("some")
            try await reply.closed()
        }
        try await ScriptedBackend.run(script) { backend in
            let response = try await get(backend.url, timeouts)
            #expect(try await response.next() == ByteBuffer(string: "some"))
            await #expect(throws: HTTPClientError.timedOut(.idle)) { try await response.next() }
        }
    }

    @Test func anEndlessBody() async throws {
        let timeouts = HTTPTimeouts(
            connect: .seconds(10), firstByte: .seconds(20), idle: .seconds(20), total: .milliseconds(400))
        let script: ScriptedBackend.Script = { reply in
            try await reply.beginChunks()
            while true {
                try await reply.chunk("more")
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        try await ScriptedBackend.run(script) { backend in
            let response = try await get(backend.url, timeouts)
            await #expect(throws: HTTPClientError.timedOut(.total)) {
                while try await response.next() != nil {}
            }
        }
    }

    @Test func aConnectionThatDropsInMidBody() async throws {
        let script: ScriptedBackend.Script = { reply in
            try await reply.beginChunks()
            try await reply.chunk("some")
            try await reply.drop()
        }
        try await ScriptedBackend.run(script) { backend in
            let response = try await get(backend.url)
            #expect(try await response.next() == ByteBuffer(string: "some"))
            await #expect { try await response.next() } throws: { isDrop($0) }
        }
    }

    @Test func aConnectionThatDropsWithoutAnAnswer() async throws {
        try await ScriptedBackend.run({ try await $0.drop() }) { backend in
            await #expect { try await get(backend.url) } throws: { isDrop($0) }
        }
    }

    @Test func somethingElseThanHTTP() async throws {
        try await ScriptedBackend.run({ try await $0.write("SSH-2.0-OpenSSH_9.2\r\n\r\n") }) { backend in
            await #expect {
                try await get(backend.url)
            } throws: { error in
                if case .invalidResponse = error as? HTTPClientError { true } else { false }
            }
        }
    }

    @Test func aBodyLongerThanWanted() async throws {
        try await ScriptedBackend.run({ try await $0.answer("200 OK", String(repeating: "x", count: 101)) }) {
            backend in
            let body = try await get(backend.url).collect(upTo: 101)
            #expect(body.readableBytes == 101)
            await #expect(throws: HTTPClientError.tooLong) { try await get(backend.url).collect(upTo: 100) }
        }
    }

    @Test func closingTheClientEndsWhatRuns() async throws {
        try await ScriptedBackend.run({ try await $0.closed() }) { backend in
            let running = Task { try await get(backend.url) }
            try await eventually("the request is there") { backend.requests.count == 1 }
            await client.close()
            await #expect(throws: HTTPClientError.closed) { try await running.value }
            await #expect(throws: HTTPClientError.closed) { try await get(backend.url) }
        }
    }

    private func get(_ url: String, _ timeouts: HTTPTimeouts = .generous) async throws -> HTTPResponse {
        try await client.send(HTTPRequest(url: url, timeouts: timeouts))
    }

    private func isDrop(_ error: any Error) -> Bool {
        if case .dropped = error as? HTTPClientError { true } else { false }
    }

    private func isConnectFailure(_ error: any Error) -> Bool {
        if case .connectFailed = error as? HTTPClientError { true } else { false }
    }
}
