import NIOConcurrencyHelpers
import NIOCore
import SharedProtocol

/// The keys that forms have made lately, so that each form makes one, however often it is sent: by a double click, or by
/// loading the page again that answered it. Kept in memory, of this web only.
final class CreatedKeys: Sendable {
    /// How long the key is shown again to whoever sends the form again.
    static let shownAgain = TimeAmount.seconds(60)
    /// Forms that are remembered; beyond, the older half is forgotten.
    static let mostForms = 10_000

    /// A form as it was shown once, in a session.
    struct Form: Hashable, Sendable {
        let token: String
        let session: CredentialHash

        /// Longest token that is taken; ours are shorter.
        static let longestToken = 64
    }

    private typealias Creation = Task<Result<Auth.NewKey, CallError>, Never>

    private enum Key {
        case shown(Creation)
        case hidden
    }

    private struct State {
        var keys: [Form: Key] = [:]
        /// Forms by age.
        var order: [(form: Form, sent: NIODeadline)] = []
        /// How many of them, from the first on, have keys that are no longer shown.
        var hidden = 0
    }

    private let state = NIOLockedValueBox(State())
    private let uptime: @Sendable () -> NIODeadline

    init(uptime: @escaping @Sendable () -> NIODeadline = NIODeadline.now) { self.uptime = uptime }

    /// A key for the form: made now, unless it has been.
    ///
    /// - Returns: nil when it was made, and is shown no more.
    func key(
        for form: Form, make: @escaping @Sendable () async -> Result<Auth.NewKey, CallError>
    ) async throws(CallError) -> Auth.NewKey? {
        let now = uptime()
        let key = state.withLockedValue { state -> Key in
            Self.forget(&state, at: now)
            if let key = state.keys[form] { return key }
            let key = Key.shown(Creation { await make() })
            state.keys[form] = key
            state.order.append((form, now))
            return key
        }
        guard case .shown(let creation) = key else { return nil }
        do {
            return try await creation.value.get()
        } catch {
            // It may be sent again.
            state.withLockedValue { $0.keys[form] = nil }
            throw error
        }
    }

    private static func forget(_ state: inout State, at now: NIODeadline) {
        while state.hidden < state.order.count, now - state.order[state.hidden].sent >= shownAgain {
            let form = state.order[state.hidden].form
            if state.keys[form] != nil { state.keys[form] = .hidden }
            state.hidden += 1
        }
        guard state.order.count >= mostForms else { return }
        for old in state.order.prefix(mostForms / 2) { state.keys[old.form] = nil }
        state.order.removeFirst(mostForms / 2)
        state.hidden = max(0, state.hidden - mostForms / 2)
    }
}
