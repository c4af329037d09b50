import Foundation
import Glibc
import NIOCore
import RedisClient
import SharedProtocol
import Testing

@testable import web_service

/// A Redis server of a test's own, in a folder of its own. The test stops it; the folder goes with this value.
final class TemporaryRedis {
    static let isInstalled = FileManager.default.isExecutableFile(atPath: program)
    private static let program = "/usr/bin/redis-server"

    let socket: String
    /// Listened on, too, on the loopback address.
    let port: Int
    private let folder = NSTemporaryDirectory() + "lumen-redis-" + RandomText.base32(8)
    private let options: [String]
    private var process: pid_t?

    init(_ options: String...) async throws {
        self.options = options
        socket = folder + "/redis.sock"
        port = try Self.freePort()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try await start()
    }

    deinit {
        stop()
        try? FileManager.default.removeItem(atPath: folder)
    }

    func start() async throws {
        try? FileManager.default.removeItem(atPath: socket)
        let arguments = [
            Self.program, "--unixsocket", socket, "--bind", "127.0.0.1", "--port", "\(port)", "--dir", folder,
            "--logfile", "redis.log", "--save", "", "--appendonly", "no",
        ]
        process = try Self.spawn(arguments + options)
        try await until { FileManager.default.fileExists(atPath: self.socket) }
    }

    func stop() {
        guard let process else { return }
        // Swift's threads block the other signals, and a process that they start inherits that.
        kill(process, SIGKILL)
        waitpid(process, nil, 0)
        self.process = nil
    }

    func suspend() { if let process { kill(process, SIGSTOP) } }

    func resume() { if let process { kill(process, SIGCONT) } }

    /// What redis-cli prints.
    @discardableResult
    func ask(_ words: String...) throws -> String {
        let output = folder + "/" + RandomText.base32(8)
        let client = try Self.spawn(["/usr/bin/redis-cli", "-s", socket, "--no-auth-warning"] + words, output: output)
        waitpid(client, nil, 0)
        return try String(contentsOfFile: output, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Foundation's Process waits with a run loop, which Swift's own threads do not have.
    private static func spawn(_ arguments: [String], output: String = "/dev/null") throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT, 0o600)
        let words = arguments.map { strdup($0) }
        defer { for word in words { free(word) } }
        var pid = pid_t()
        let code = posix_spawn(&pid, arguments[0], &actions, nil, words + [nil], environ)
        try #require(code == 0, "\(arguments[0]) could not be started: error \(code)")
        return pid
    }

    /// The counters as a web has them, on a connection of their own. Answers may take as long as this busy machine does.
    func counters(
        at address: RedisAddress? = nil, answerLimit: TimeAmount = .seconds(30), becomingReady: Bool = true
    ) async throws -> SharedCounters {
        let client = try RedisClient(
            to: address ?? .unix(path: socket), script: SharedCounters.script, answerLimit: answerLimit)
        if becomingReady { try await until { client.isReady } }
        return SharedCounters(client)
    }

    private static func freePort() throws -> Int {
        let descriptor = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        // A `sockaddr_in` as bytes: whether Swift finds that type's members depends on what else is compiled beside this file.
        var address: [UInt8] = [UInt8(AF_INET), 0, 0, 0, 127, 0, 0, 1] + Array(repeating: 0, count: 8)
        var length = socklen_t(address.count)
        address.withUnsafeMutableBytes { bytes in
            bytes.withMemoryRebound(to: sockaddr.self) { pointer in
                _ = bind(descriptor, pointer.baseAddress, length)
                _ = getsockname(descriptor, pointer.baseAddress, &length)
            }
        }
        return Int(address[2]) << 8 | Int(address[3])
    }
}

/// Waits until something is so; a minute at most.
func until(_ condition: () async throws -> Bool) async throws {
    let end = ContinuousClock.now + .seconds(60)
    while try await !condition() {
        try #require(.now < end, "waited a minute")
        try await Task.sleep(for: .milliseconds(5))
    }
}
