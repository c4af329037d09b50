import Logging
import SharedProtocol
import Storage

/// Makes changes that the audit log tells of: each in one transaction with its entry.
struct AuditedChanges: Sendable {
    let database: ServiceDatabase
    let revocations: RevocationFeed
    let clock: @Sendable () -> Timestamp
    let logger: Logger

    /// Makes a change, and tells other services when it may have taken access away. Returns once it is on disk.
    ///
    /// - Parameter actor: absent for what auth does by itself.
    @discardableResult
    func make<T: Sendable>(
        by actor: Auth.Actor?, _ request: RequestID?,
        _ change: @escaping @Sendable (AuditedChange) throws -> T
    ) async throws(CallError) -> T {
        let now = clock()
        let (result, revision, entries) = try await database.write { connection in
            try AuditLog.lock(connection)
            let work = AuditedChange(connection: connection, time: now, actor: actor, request: request)
            let result = try change(work)
            return (result, try work.touchesAccess ? Revision.advance(connection) : nil, work.entries)
        }
        if let revision { revocations.advance(to: revision) }
        for entry in entries { log(entry, by: actor, request) }
        return result
    }

    /// The hash, so that logs that are kept elsewhere bear witness to the chain.
    private func log(_ entry: AuditedChange.Entry, by actor: Auth.Actor?, _ request: RequestID?) {
        var metadata: Logger.Metadata = [
            "action": .string(entry.action), "number": .stringConvertible(entry.number), "hash": .string(entry.hash),
        ]
        metadata["request_id"] = request.map { .string($0.rawValue) }
        metadata["admin_id"] = actor.map { .stringConvertible($0.user.rawValue) }
        logger.info("audited", metadata: metadata)
    }
}

/// A change that is being made, inside of its transaction.
final class AuditedChange {
    let connection: any SQLConnection
    let time: Timestamp
    private let actor: Auth.Actor?
    private let request: RequestID?
    private(set) var entries: [Entry] = []
    /// Whether somebody may lose or gain something that other services remember.
    private(set) var touchesAccess = false

    struct Entry: Sendable {
        var action: String
        var number: Int64
        var hash: String
    }

    init(connection: any SQLConnection, time: Timestamp, actor: Auth.Actor?, request: RequestID?) {
        self.connection = connection
        self.time = time
        self.actor = actor
        self.request = request
    }

    /// Writes an entry. A change that changes nothing has none.
    ///
    /// - Parameter touchesAccess: what other services remember is to be read again.
    func note(
        _ name: String, _ subject: String, before: String? = nil, after: String? = nil, touchesAccess: Bool = false
    ) throws {
        try note(Auth.AuditAction(name: name, subject: subject, before: before, after: after))
        if touchesAccess { touchAccess() }
    }

    func note(_ action: Auth.AuditAction) throws {
        let (number, hash) = try AuditLog.append(action, by: actor, at: time, request, connection)
        entries.append(Entry(action: action.name, number: number, hash: hash))
    }

    /// What other services remember of anybody's access is to be read again.
    func touchAccess() { touchesAccess = true }
}
