import Glibc
import NIOCore
import NIOPosix
import ServiceLifecycle

@testable import SharedProtocol

/// Calls that the wire's tests make, and a server that answers them on a socket in a temporary folder.

struct Echo: Call {
    static let method = "test.echo"
    static let isIdempotent = true
    typealias Reply = Echo
    var text: String
}

/// Not idempotent; answers after `milliseconds`, or never when negative.
struct Wait: Call {
    static let method = "test.wait"
    static let isIdempotent = false
    typealias Reply = Done
    var milliseconds: Int
}

/// Sends `count` events of `bytes` bytes and replies with how many it sent.
struct Count: StreamingCall {
    static let method = "test.count"
    typealias Reply = Int
    var count: Int
    var bytes = 10
}

/// Sends its body back as the only event.
struct Mirror: StreamingCall {
    static let method = "test.mirror"
    typealias Reply = Done
}

func testIdentity(_ service: ServiceName = .ledger) -> ServiceIdentity {
    ServiceIdentity(service: service, instance: .random(), pid: getpid())
}

func testTable() -> CallTable {
    var table = CallTable()
    table.on(Echo.self) { call, _ throws(CallError) in call }
    table.on(Wait.self) { call, _ throws(CallError) in
        // `try?`: a sleep that is cancelled ends early, which no test here brings about.
        try? await Task.sleep(for: .milliseconds(call.milliseconds < 0 ? 60_000 : call.milliseconds))
        return Done()
    }
    table.onStream(Count.self) { call, _, _, events async throws(CallError) in
        let event = ByteBuffer(string: "\"" + String(repeating: "x", count: call.bytes) + "\"")
        for sent in 0..<call.count {
            if Task.isCancelled { return sent }
            try await events.send(event)
        }
        return call.count
    }
    table.onStream(Mirror.self) { _, body, _, events async throws(CallError) in
        try await events.send(body.take() ?? ByteBuffer(string: "null"))
        return Done()
    }
    return table
}

/// Runs `body` beside a server and stops the server afterwards.
func withServer<Value: Sendable>(
    _ table: CallTable = testTable(), _ body: @Sendable (String) async throws -> Value
) async throws -> Value {
    let folder = try temporaryFolder()
    defer { rmdir(folder) }
    let path = folder + "/s.sock"
    let server = CallServer(testIdentity(), socket: path, calls: table, on: MultiThreadedEventLoopGroup.singleton)
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await server.run() }
        while access(path, F_OK) != 0 { try await Task.sleep(for: .milliseconds(2)) }
        let value = try await body(path)
        group.cancelAll()
        try await group.waitForAll()
        return value
    }
}

func temporaryFolder() throws -> String {
    var template = Array("/tmp/lumen-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw CallError(.internalError, "no temporary folder") }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

func withClient<Value: Sendable>(
    to path: String, _ body: @Sendable (CallClient) async throws -> Value
) async throws -> Value {
    let client = try CallClient(to: path, as: testIdentity(.web), on: MultiThreadedEventLoopGroup.singleton)
    defer { client.close() }
    return try await body(client)
}

/// A blocking socket without any of our code, to be rude with. Used on threads of its own only.
final class RawSocket: Sendable {
    let descriptor: CInt

    init(connectedTo path: String) throws {
        descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard status == 0 else { throw CallError(.unavailable, "cannot connect") }
        var timeout = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    func send(_ bytes: some Collection<UInt8>) {
        let bytes = Array(bytes)
        _ = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
    }

    func halfClose() { shutdown(descriptor, CInt(SHUT_WR)) }

    /// The JSON of the next frame; nil at the end of the stream.
    func frame() -> String? {
        guard let header = read(4) else { return nil }
        let length = header.reduce(0) { $0 << 8 | Int($1) }
        return read(length).map { String(decoding: $0, as: UTF8.self) }
    }

    private func read(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = bytes.withUnsafeMutableBytes {
                recv(descriptor, $0.baseAddress?.advanced(by: filled), count - filled, 0)
            }
            if got <= 0 { return nil }
            filled += got
        }
        return bytes
    }

    static func framed(_ json: String) -> [UInt8] {
        let length = UInt32(json.utf8.count)
        return withUnsafeBytes(of: length.bigEndian) { Array($0) } + Array(json.utf8)
    }

    static let hello = framed(#"{"hello":{"version":1,"service":"web","instance":"test","pid":1}}"#)
}

/// Runs blocking code off Swift's pool.
func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await NIOThreadPool.singleton.runIfActive(body)
}

/// What comes back of `text`.
func echo(_ text: String, by client: CallClient) async throws -> String {
    try await client.call(Echo(text: text), timeout: .seconds(5)).text
}
