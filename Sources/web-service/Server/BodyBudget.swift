import NIOConcurrencyHelpers

/// Bounds the memory that request bodies take in this process.
final class BodyBudget: Sendable {
    /// Longest body of one request, in bytes.
    static let bodyLimit = 20 << 20
    /// Of all requests together, in bytes.
    static let totalLimit = 512 << 20

    private let taken = NIOLockedValueBox(0)

    /// False when there is no room for that many bytes more.
    func take(_ bytes: Int) -> Bool {
        taken.withLockedValue { taken in
            guard taken + bytes <= Self.totalLimit else { return false }
            taken += bytes
            return true
        }
    }

    func giveBack(_ bytes: Int) { taken.withLockedValue { $0 -= bytes } }
}
