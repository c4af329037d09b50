import Hummingbird
import NIOCore
import SharedProtocol

/// What a handler knows of its request beside the request itself.
struct WebContext: Hummingbird.RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel
    /// Found again in every service's log, and in the reply's `x-request-id`.
    let request = RequestID.random()

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }
}
