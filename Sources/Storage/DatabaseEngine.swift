/// How much a transaction that writes is kept apart from others. With SQLite there is one writer, and no difference.
public enum WriteIsolation: Sendable {
    /// As if there were no others. What is in their way is tried again.
    case serializable
    /// Sees what others commit meanwhile; for code that locks its rows itself (`SELECT … FOR UPDATE`).
    case readCommitted
}

/// What stands behind a `ServiceDatabase`. Its work is done on threads of its own and is not cancelled with the task that
/// asked for it.
protocol DatabaseEngine: Sendable {
    var engine: SQLEngine { get }

    func write<T: Sendable>(
        isolation: WriteIsolation, _ updates: @escaping @Sendable (any SQLConnection) throws -> T
    ) async -> Result<T, any Error>

    /// Nil where nobody else could notify.
    func listener(on channel: String) -> DatabaseListener?

    /// - Parameter isLong: it may take minutes.
    func read<T: Sendable>(
        isLong: Bool, _ query: @escaping @Sendable (any SQLConnection) throws -> T
    ) async -> Result<T, any Error>
}
