import FoundationEssentials
import Glibc
import NIOCore
import NIOPosix
import SharedProtocol
import Testing

@testable import lumen

/// A folder with shell scripts in the places of the services, gone when the test is over.
final class FakeSite: Sendable {
    let folder: String
    var runDirectory: String { folder + "/run" }
    var configurationPath: String { folder + "/config.yaml" }

    init() throws {
        folder = "/tmp/lumen-" + RandomText.base32(8)
        try FileManager.default.createDirectory(atPath: folder + "/run", withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// A valid one.
    static let configuration = """
        app:
          secret_key: "0123456789abcdef0123456789abcdef"
          encryption_key: "another"
          debug: true
          dev_user: dev@example.com
          run_dir: run

        """

    func configure(_ text: String = configuration) throws {
        try Data(text.utf8).write(to: URL(filePath: configurationPath))
    }

    /// Writes a service that notes its number in a file and then runs `script`.
    func write(_ service: ServiceName, _ script: String) throws {
        let path = "\(folder)/\(service)-service"
        let text = "#!/bin/sh\ncd \(folder)\necho $$ >> \(service).pids\n\(script)\n"
        try Data(text.utf8).write(to: URL(filePath: path))
        chmod(path, 0o755)
    }

    func plan(_ service: ServiceName) -> ChildPlan {
        ChildPlan(
            service: service, executable: "\(folder)/\(service)-service", arguments: [], runDirectory: runDirectory)
    }

    func supervisor(
        _ services: [ServiceName], drain: Duration = .seconds(30),
        whenReady: @escaping @Sendable () -> Void = {}
    ) throws -> Supervisor {
        let identity = ServiceIdentity(service: .lumen, instance: .random(), pid: getpid())
        let readiness = Readiness(identity: identity, group: .singletonMultiThreadedEventLoopGroup)
        return try Supervisor(
            services.map { plan($0) }, environment: ["PATH": "/usr/bin:/bin"], readiness: readiness,
            drain: { drain }, whenReady: whenReady)
    }

    /// Every process that has run in this place, oldest first.
    func pids(_ service: ServiceName) -> [pid_t] { lines(of: "\(service).pids").compactMap { pid_t($0) } }

    func lines(of file: String) -> [String] {
        guard let data = FileManager.default.contents(atPath: folder + "/" + file) else { return [] }
        return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
    }
}

/// Waits for something that other processes do; the test's time limit is the deadline.
func eventually(_ condition: () async throws -> Bool) async throws {
    while try await !condition() { try await Task.sleep(for: .milliseconds(5)) }
}

/// Neither running nor a zombie.
func isGone(_ pid: pid_t) -> Bool { kill(pid, 0) != 0 && errno == ESRCH }
