import Glibc
import NIOCore
import NIOPosix
import SharedProtocol

/// Calls the services of the site that this configuration describes, each over a connection of its own.
struct SiteClient: Sendable {
    let runDirectory: String
    private let identity = ServiceIdentity(service: .lumen, instance: .random(), pid: getpid())
    private let group: any EventLoopGroup = .singletonMultiThreadedEventLoopGroup

    init(_ site: LumenConfiguration) { runDirectory = site.app.runDirectory }

    init(runDirectory: String) { self.runDirectory = runDirectory }

    /// - Parameter socket: a file name in `run_dir`.
    func call<C: Call>(_ call: C, at socket: String, timeout: Duration) async throws(CallError) -> C.Reply {
        let client = try CallClient(to: runDirectory + "/" + socket, as: identity, on: group)
        defer { client.close() }
        return try await client.call(call, timeout: timeout)
    }
}
