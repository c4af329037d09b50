import HTTPClient
import NIOCore
import Synchronization

/// A request that has been sent to an endpoint and has had no byte of an answer yet. When the endpoint goes out meanwhile,
/// it is given up, so that another may be asked.
final class SilentRequest: Sendable {
    /// After so long a silence the endpoint is probed.
    static let patience = TimeAmount.seconds(5)

    let since: NIODeadline
    let exchange: HTTPExchange
    private let mayMove: @Sendable () -> Bool
    private let state = Atomic(State.waiting)

    private enum State: UInt8, AtomicRepresentable { case waiting, answered, givenUp }

    /// - Parameter mayMove: whether another endpoint would take the request.
    init(_ exchange: HTTPExchange, since: NIODeadline, mayMove: @escaping @Sendable () -> Bool) {
        self.exchange = exchange
        self.since = since
        self.mayMove = mayMove
    }

    /// The first byte has come; false when it came too late.
    func answered() -> Bool {
        state.compareExchange(expected: .waiting, desired: .answered, ordering: .acquiringAndReleasing).exchanged
    }

    var isGivenUp: Bool { state.load(ordering: .acquiring) == .givenUp }

    func giveUp() {
        guard mayMove() else { return }
        let (isOurs, _) = state.compareExchange(
            expected: .waiting, desired: .givenUp, ordering: .acquiringAndReleasing)
        if isOurs { exchange.cancel() }
    }
}
