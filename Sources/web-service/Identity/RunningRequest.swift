import NIOConcurrencyHelpers
import SharedProtocol

/// A model request while it runs, and how it is ended before its time.
final class RunningRequest: Sendable {
    /// Why a request is ended before its time.
    enum End: Sendable {
        case clientLeft, accountDisabled, keyEnded
    }

    private struct State {
        var end: End?
        var action: (@Sendable () -> Void)?
        var revision: Int64
    }

    let user: UserID
    let key: KeyID?
    /// When the key ends.
    let expires: Timestamp?
    private let state: NIOLockedValueBox<State>
    private let leave: @Sendable () -> Void

    /// - Parameter leave: called when nobody holds it any more.
    init(_ requester: Requester, leave: @escaping @Sendable () -> Void) {
        user = requester.person.id
        key = requester.key
        expires = requester.expires
        state = NIOLockedValueBox(State(revision: requester.revision))
        self.leave = leave
    }

    deinit { leave() }

    /// Ends it; the first reason counts.
    func end(_ reason: End) {
        let action = state.withLockedValue { state -> (@Sendable () -> Void)? in
            guard state.end == nil else { return nil }
            state.end = reason
            defer { state.action = nil }
            return state.action
        }
        action?()
    }

    /// What to do when it is to end, in place of what was said before; at once when that is so already.
    func onEnd(_ action: @escaping @Sendable () -> Void) {
        let hasEnded = state.withLockedValue { state in
            if state.end == nil { state.action = action }
            return state.end != nil
        }
        if hasEnded { action() }
    }

    var hasEnded: Bool { state.withLockedValue { $0.end != nil } }

    /// What its client may be told, when it was not the client who ended it.
    var failure: APIError? {
        switch state.withLockedValue(\.end) {
        case .accountDisabled: .accountDisabled
        case .keyEnded: .keyEnded
        case .clientLeft, nil: nil
        }
    }

    /// The revocation revision at which it was known last that its access holds.
    var revision: Int64 { state.withLockedValue(\.revision) }

    /// Its access holds at this revision.
    func confirmed(at revision: Int64) {
        state.withLockedValue { $0.revision = max($0.revision, revision) }
    }
}
