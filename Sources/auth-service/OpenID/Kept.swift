import SharedProtocol

/// Something of the provider's that is fetched when it is needed and kept for a while. Who asks while it is being fetched
/// waits for the same fetch.
actor Kept<Value: Sendable> {
    private let fetch: @Sendable () async throws(LoginProblem) -> Value
    private let clock: @Sendable () -> Timestamp
    private var kept: (value: Value, fetched: Timestamp)?
    private var running: Task<Result<Value, LoginProblem>, Never>?

    init(
        clock: @escaping @Sendable () -> Timestamp, fetch: @escaping @Sendable () async throws(LoginProblem) -> Value
    ) {
        self.clock = clock
        self.fetch = fetch
    }

    /// The value, fetched anew unless it is younger than `age`.
    func value(youngerThan age: Duration) async throws(LoginProblem) -> Value {
        if let kept {
            let milliseconds = clock().rawValue - kept.fetched.rawValue
            // A clock that was set back makes it old.
            if 0..<age.milliseconds ~= milliseconds { return kept.value }
        }
        let running = running ?? Task { await self.renew() }
        self.running = running
        return try await running.value.get()
    }

    private func renew() async -> Result<Value, LoginProblem> {
        let now = clock()
        defer { running = nil }
        do throws(LoginProblem) {
            let value = try await fetch()
            kept = (value, now)
            return .success(value)
        } catch {
            return .failure(error)
        }
    }
}
