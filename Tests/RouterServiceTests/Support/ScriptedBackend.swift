import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// A backend on loopback that says exactly the bytes that a test wants, when it wants, and notes what it sees. It knows
/// only as much HTTP as it takes to find where a request ends.
final class ScriptedBackend: Sendable {
    /// Answers one request. Returning keeps the connection open for the next.
    typealias Script = @Sendable (ScriptedReply) async throws -> Void

    let port: Int
    var url: String { "http://127.0.0.1:\(port)/v1" }

    private let seen = NIOLockedValueBox(Seen())

    private struct Seen {
        var requests: [SeenRequest] = []
        var connections = 0
        var closedConnections = 0
    }

    /// Every request so far, in order of arrival.
    var requests: [SeenRequest] { seen.withLockedValue { $0.requests } }
    /// Connections accepted so far.
    var connections: Int { seen.withLockedValue { $0.connections } }
    var closedConnections: Int { seen.withLockedValue { $0.closedConnections } }

    private init(port: Int) { self.port = port }

    /// Runs a backend while `body` runs.
    @discardableResult
    static func run<Result: Sendable>(
        _ script: @escaping Script, during body: (ScriptedBackend) async throws -> Result
    ) async throws -> Result {
        let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .bind(host: "127.0.0.1", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        let backend = ScriptedBackend(port: server.channel.localAddress?.port ?? 0)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await server.executeThenClose { clients in
                    await withDiscardingTaskGroup { connections in
                        do {
                            for try await client in clients {
                                connections.addTask { await backend.serve(client, script) }
                            }
                        } catch {}
                    }
                }
            }
            defer { group.cancelAll() }
            return try await body(backend)
        }
    }

    private func serve(_ client: NIOAsyncChannel<ByteBuffer, ByteBuffer>, _ script: Script) async {
        seen.withLockedValue { $0.connections += 1 }
        defer { seen.withLockedValue { $0.closedConnections += 1 } }
        // A connection that breaks, or a script that gives up, ends only itself.
        try? await client.executeThenClose { inbound, _ in
            var reader = RequestReader()
            for try await bytes in inbound {
                guard let request = reader.read(bytes) else { continue }
                seen.withLockedValue { $0.requests.append(request) }
                try await script(ScriptedReply(request: request, channel: client.channel))
            }
        }
    }
}

/// One request's way to answer.
struct ScriptedReply: Sendable {
    let request: SeenRequest
    fileprivate let channel: any Channel

    /// Waits until the kernel has taken the bytes: as long as the peer does not read.
    func write(_ bytes: ByteBuffer) async throws { try await channel.writeAndFlush(bytes) }
    func write(_ text: String) async throws { try await write(ByteBuffer(string: text)) }

    /// Returns when the peer has closed the connection.
    func closed() async throws { try await channel.closeFuture.get() }

    /// Closes the connection, whatever the peer expects.
    func drop() async throws { try await channel.close() }

    /// A whole response with the right length.
    func answer(_ status: String, type: String? = "application/json", extra: String = "", _ body: String) async throws {
        let type = type.map { "Content-Type: \($0)\r\n" } ?? ""
        try await write("HTTP/1.1 \(status)\r\n\(type)\(extra)Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }

    /// The head of a response that ends with `endChunks`.
    func beginChunks(type: String = "text/event-stream") async throws {
        try await write("HTTP/1.1 200 OK\r\nContent-Type: \(type)\r\nTransfer-Encoding: chunked\r\n\r\n")
    }

    func chunk(_ text: String) async throws {
        try await write("\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n")
    }

    func endChunks() async throws { try await write("0\r\n\r\n") }
}

/// A request as it stood on the wire.
struct SeenRequest: Sendable {
    var line: String
    /// Header lines, as written.
    var headers: [String]
    var body: String

    func header(_ name: String) -> String? {
        let prefix = name.lowercased() + ":"
        return headers.first { $0.lowercased().hasPrefix(prefix) }.map { line in
            String(line.dropFirst(prefix.count).drop { $0 == " " })
        }
    }
}

/// Cuts requests out of a connection's bytes; one at a time, as clients without pipelining send them.
private struct RequestReader {
    private var buffer = ByteBuffer()

    mutating func read(_ bytes: ByteBuffer) -> SeenRequest? {
        buffer.writeImmutableBuffer(bytes)
        let view = buffer.readableBytesView
        guard let end = Self.headEnd(in: view) else { return nil }
        let lines = String(decoding: view[..<end], as: UTF8.self).split(separator: "\r\n").map(String.init)
        var request = SeenRequest(line: lines.first ?? "", headers: Array(lines.dropFirst()), body: "")
        let length = request.header("content-length").flatMap { Int($0) } ?? 0
        guard view.endIndex - end >= length else { return nil }
        request.body = String(decoding: view[end..<(end + length)], as: UTF8.self)
        buffer.clear()
        return request
    }

    private static func headEnd(in view: ByteBufferView) -> Int? {
        let mark = Array("\r\n\r\n".utf8)
        guard view.count >= mark.count else { return nil }
        return (view.startIndex...(view.endIndex - mark.count)).first {
            view[$0..<($0 + mark.count)].elementsEqual(mark)
        }
        .map { $0 + mark.count }
    }
}
