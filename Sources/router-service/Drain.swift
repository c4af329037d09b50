import NIOConcurrencyHelpers
import ServiceLifecycle

/// Knows when the instance has been told to stop: from then on it takes no new requests. Stands last among the services,
/// because the last is told first.
final class Drain: ServiceLifecycle.Service {
    private let state = NIOLockedValueBox(false)

    var isDraining: Bool { state.withLockedValue { $0 } }

    func begin() { state.withLockedValue { $0 = true } }

    func run() async throws {
        try? await gracefulShutdown()
        begin()
    }
}
