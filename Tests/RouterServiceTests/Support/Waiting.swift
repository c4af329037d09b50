import NIOConcurrencyHelpers
import Testing

/// Waits until the condition holds; fails the test after ten seconds.
func eventually(
    _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () async -> Bool
) async throws {
    for _ in 0..<1000 {
        if await condition() { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    Issue.record(what, sourceLocation: sourceLocation)
}

/// A door that a test opens once; scripts wait at it.
final class Gate: Sendable {
    private let state = NIOLockedValueBox(false)

    func open() { state.withLockedValue { $0 = true } }

    /// Returns when the door is open; fails the test after ten seconds.
    func passed(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await eventually("the gate is open", sourceLocation: sourceLocation) { state.withLockedValue { $0 } }
    }
}
