import NIOConcurrencyHelpers
import NIOCore
import SharedProtocol

/// Limits failed authentications per client address: an IPv4 address, or the /64 of an IPv6 address. Only failures count;
/// over the limit the caller refuses without looking whether the credential is good. Counted in this process.
final class AddressLimiter: Sendable {
    /// Windows that are kept: about 4 MB.
    static let windowLimit = 20_000

    private let limits: @Sendable () -> [RateLimit]
    private let windows = NIOLockedValueBox(FixedWindows<IPAddress>(capacity: windowLimit))
    private let now: @Sendable () -> NIODeadline

    /// - Parameter limits: those in force.
    init(limits: @escaping @Sendable () -> [RateLimit], now: @escaping @Sendable () -> NIODeadline = { .now() }) {
        self.limits = limits
        self.now = now
    }

    /// Nil, or the seconds after which a client at this address may try again.
    ///
    /// - Parameter address: nil for a peer that has none, a Unix socket's; it is not limited.
    func refusal(for address: IPAddress?) -> Int64? {
        guard let address else { return nil }
        let standing = windows.withLockedValue { [limits = limits(), now = now()] in
            $0.standing(of: address.network, limits, at: now)
        }
        return standing.isRefused ? standing.resetSeconds : nil
    }

    /// Counts what an address begins. Nil, or the seconds after which it may try again; then nothing is counted.
    func admit(_ address: IPAddress?) -> Int64? {
        guard let address else { return nil }
        let standing = windows.withLockedValue { [limits = limits(), now = now()] in
            $0.admit(address.network, limits, at: now)
        }
        return standing.isRefused ? standing.resetSeconds : nil
    }

    /// An authentication from this address failed.
    func failed(from address: IPAddress?) {
        guard let address else { return }
        windows.withLockedValue { [limits = limits(), now = now()] in
            _ = $0.count(address.network, limits, at: now)
        }
    }
}
