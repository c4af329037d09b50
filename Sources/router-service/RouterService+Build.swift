import HTTPClient
import NIOCore
import ServiceLifecycle
import ServiceRuntime
import SharedProtocol

extension RouterService {
    /// Puts the service together; dependencies first, which is the order of starting and the reverse of stopping.
    static func build(_ process: ServiceProcess) throws -> [any Service] {
        let watcher = process.configuration
        let client = try HTTPClient()
        let directory = EndpointDirectory(watcher.current)
        watcher.onChange { directory.update($0) }
        let drain = Drain()
        let completions = Completions(directory, client, drain) { watcher.current.routing.total }
        let socket = process.listen ?? "\(watcher.current.app.runDirectory)/router-\(process.identity.instance).sock"
        let server = CallServer(
            process.identity, socket: socket, calls: calls(completions, directory), on: process.group,
            drain: { watcher.current.routing.drain }, problems: { directory.problems })
        return [Prober(directory, client), server, drain]
    }

    static func calls(_ completions: Completions, _ directory: EndpointDirectory) -> CallTable {
        var calls = CallTable()
        calls.onStream(Router.Complete.self) { call, body, context, events async throws(CallError) in
            try await completions.complete(call, body, context, events)
        }
        calls.on(Router.Endpoints.self) { _, _ throws(CallError) in directory.report }
        return calls
    }
}
