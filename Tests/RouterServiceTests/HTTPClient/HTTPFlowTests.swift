import HTTPClient
import NIOConcurrencyHelpers
import NIOCore
import Testing

/// The reader sets the pace, and leaving is seen at the backend.
@Suite(.timeLimit(.minutes(1))) struct HTTPFlowTests {
    let client: HTTPClient

    init() throws { client = try HTTPClient() }

    /// More than all socket buffers between the two can hold.
    private static let pieces = 1024
    private static let pieceSize = 64 * 1024

    @Test func aSlowReaderStopsTheBackendAndIsNotIdle() async throws {
        let written = NIOLockedValueBox(0)
        let script: ScriptedBackend.Script = { reply in
            let length = Self.pieces * Self.pieceSize
            try await reply.write("HTTP/1.1 200 OK\r\nContent-Length: \(length)\r\n\r\n")
            let piece = ByteBuffer(repeating: UInt8(ascii: "x"), count: Self.pieceSize)
            for _ in 0..<Self.pieces {
                try await reply.write(piece)
                written.withLockedValue { $0 += Self.pieceSize }
            }
        }
        // While the reader sleeps, more than the idle time passes.
        let timeouts = HTTPTimeouts(
            connect: .seconds(10), firstByte: .seconds(20), idle: .seconds(4), total: .seconds(50))
        try await ScriptedBackend.run(script) { backend in
            let response = try await client.send(HTTPRequest(url: backend.url, timeouts: timeouts))
            try await Task.sleep(for: .seconds(5))
            #expect(written.withLockedValue { $0 } < Self.pieces * Self.pieceSize)
            var received = 0
            var largest = 0
            while let bytes = try await response.next() {
                received += bytes.readableBytes
                largest = max(largest, bytes.readableBytes)
            }
            #expect(received == Self.pieces * Self.pieceSize)
            #expect(largest <= 256 * 1024 + 16 * 1024)
        }
    }

    @Test func cancellingTheTaskClosesTheConnectionBeforeTheHead() async throws {
        let script: ScriptedBackend.Script = { reply in
            try await reply.closed()
        }
        try await ScriptedBackend.run(script) { backend in
            let task = Task { try await client.send(HTTPRequest(url: backend.url, timeouts: .generous)) }
            try await eventually("the request is there") { backend.requests.count == 1 }
            task.cancel()
            await #expect(throws: HTTPClientError.cancelled) { try await task.value }
            try await eventually("the backend sees it close") { backend.closedConnections == 1 }
        }
    }

    @Test func cancellingTheTaskClosesTheConnectionInMidBody() async throws {
        try await ScriptedBackend.run(endless) { backend in
            let hasBegun = Gate()
            let task = Task {
                let response = try await client.send(HTTPRequest(url: backend.url, timeouts: .generous))
                hasBegun.open()
                while try await response.next() != nil {}
            }
            try await hasBegun.passed()
            task.cancel()
            await #expect(throws: HTTPClientError.cancelled) { try await task.value }
            try await eventually("the backend sees it close") { backend.closedConnections == 1 }
        }
    }

    @Test func lettingGoOfTheResponseClosesTheConnection() async throws {
        try await ScriptedBackend.run(endless) { backend in
            _ = try await client.send(HTTPRequest(url: backend.url, timeouts: .generous))
            try await eventually("the backend sees it close") { backend.closedConnections == 1 }
        }
    }

    @Test func aCancelledTaskSendsNothing() async throws {
        try await ScriptedBackend.run({ try await $0.answer("200 OK", "{}") }) { backend in
            let task = Task {
                while !Task.isCancelled { await Task.yield() }
                return try await client.send(HTTPRequest(url: backend.url, timeouts: .generous))
            }
            task.cancel()
            await #expect(throws: HTTPClientError.cancelled) { try await task.value }
        }
    }

    private var endless: ScriptedBackend.Script {
        { reply in
            try await reply.beginChunks()
            while true {
                try await reply.chunk("more")
                try await Task.sleep(for: .milliseconds(5))
            }
        }
    }
}
