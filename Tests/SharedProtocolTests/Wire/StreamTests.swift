import Glibc
import NIOCore
import NIOPosix
import Testing

@testable import SharedProtocol

/// Streaming calls: order, back-pressure, cancel, and what happens when either side goes.
@Suite struct StreamTests {
    @Test func eventsArriveInOrderAndThenTheReply() async throws {
        try await withServer { path in
            try await withClient(to: path) { client in
                for _ in 0..<3 {
                    let stream = try await client.open(Count(count: 500), timeout: .seconds(5))
                    var seen = 0
                    while case let events = try await stream.next(), !events.isEmpty { seen += events.count }
                    #expect(seen == 500)
                    #expect(try stream.reply == 500)
                }
            }
        }
    }

    @Test func aBodyIsCarriedVerbatim() async throws {
        try await withServer { path in
            try await withClient(to: path) { client in
                let body = ByteBuffer(string: "{ \"a\" : [1e5, \"\\u00e9 ü\"],\n \"b\":{} }")
                let stream = try await client.open(Mirror(), body: body, timeout: .seconds(5))
                #expect(try await stream.next() == [body])
            }
        }
    }

    @Test func aCancelledCallRepliesWithWhatItHadDone() async throws {
        try await withServer { path in
            try await withClient(to: path) { client in
                // A starved server may miss the time that it has for its answer, and the connection with it; not each time.
                var counts: (seen: Int, replied: Int)?
                for _ in 0..<20 where counts == nil { counts = try? await Self.cancelledCount(of: client) }
                let (seen, replied) = try #require(counts)
                #expect(seen == replied)
            }
        }
    }

    private static func cancelledCount(of client: CallClient) async throws -> (seen: Int, replied: Int) {
        let stream = try await client.open(Count(count: 100_000_000), timeout: .seconds(60))
        var seen = try await stream.next().count
        stream.cancel()
        while case let events = try await stream.next(), !events.isEmpty { seen += events.count }
        return (seen, try stream.reply)
    }

    /// The server's events for a reader that does not read fill the socket and no more; others do not notice.
    @Test func aSlowReaderStallsOnlyItself() async throws {
        let sent = NIOLockedBox(0)
        var table = testTable()
        table.onStream(Count.self) { call, _, _, events async throws(CallError) in
            let event = ByteBuffer(string: "\"" + String(repeating: "x", count: call.bytes) + "\"")
            for _ in 0..<call.count {
                try await events.send(event)
                if call.bytes > 100 { sent.update { $0 += 1 } }
            }
            return call.count
        }
        try await withServer(table) { [table = table] path in
            _ = table
            try await withClient(to: path) { client in
                let slow = try await client.open(Count(count: 2000, bytes: 10_000), timeout: .seconds(60))
                let quick = try await client.open(Count(count: 5000), timeout: .seconds(60))
                var seen = 0
                while case let events = try await quick.next(), !events.isEmpty { seen += events.count }
                #expect(seen == 5000)
                #expect(sent.value < 200, "20 MB must not be buffered for a reader that does not read")
                seen = 0
                while case let events = try await slow.next(), !events.isEmpty { seen += events.count }
                #expect(seen == 2000)
            }
        }
    }

    @Test func aStreamWhoseServerDiesEndsWithAnError() async throws {
        try await withDroppingServer { path, _ in
            try await withClient(to: path) { client in
                let stream = try await client.open(Count(count: 1), timeout: .seconds(5))
                let error = await #expect(throws: CallError.self) { try await stream.next() }
                #expect(error?.code == .connectionLost)
            }
        }
    }

    @Test func aCallerThatLeavesCancelsTheHandler() async throws {
        let ended = NIOLockedBox(false)
        var table = CallTable()
        table.onStream(Count.self) { _, _, _, _ in
            while !Task.isCancelled { try? await Task.sleep(for: .seconds(60)) }
            ended.update { $0 = true }
            return 0
        }
        try await withServer(table) { path in
            try await blocking {
                let socket = try RawSocket(connectedTo: path)
                socket.send(RawSocket.hello)
                socket.send(
                    RawSocket.framed(
                        #"{"id":1,"method":"test.count","deadline_ms":60000,"params":{"count":1,"bytes":1}}"#))
                _ = socket.frame()
            }
            while !ended.value { try await Task.sleep(for: .milliseconds(2)) }
        }
    }

    @Test func anAbandonedStreamIsClosed() async throws {
        try await withServer { path in
            try await withClient(to: path) { client in
                for _ in 0..<20 { _ = try await client.open(Count(count: 100_000_000), timeout: .seconds(60)) }
                let answer = try await echo("alive", by: client)
                #expect(answer == "alive")
            }
        }
    }
}

/// Runs `body` beside a server that drops its first connection at the first request and answers on later ones.
func withDroppingServer(_ body: @Sendable (String, NIOLockedCounter) async throws -> Void) async throws {
    let folder = try temporaryFolder()
    let path = folder + "/s.sock"
    let accepted = NIOLockedCounter()
    let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(DropFirst(count: accepted.next()))
            }
        }
        .bind(unixDomainSocketPath: path).get()
    try await body(path, accepted)
    try await listener.close()
    unlink(path)
    rmdir(folder)
}

/// Says hello; the first connection is dropped at its first request, later ones echo.
final class DropFirst: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    let count: Int
    init(count: Int) { self.count = count }

    func channelActive(context: ChannelHandlerContext) {
        guard let hello = try? Frame.hello(from: testIdentity()) else { return context.close(promise: nil) }
        context.writeAndFlush(NIOAny(hello), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        while let json = buffer.readLengthPrefixedSlice(as: UInt32.self), let frame = try? Frame(parsing: json) {
            guard case .request(let request) = frame else { continue }
            guard count > 1, let reply = try? Frame.reply(id: request.id, .success(Echo(text: "hi"))) else {
                return context.close(promise: nil)
            }
            context.writeAndFlush(NIOAny(reply), promise: nil)
        }
    }
}
