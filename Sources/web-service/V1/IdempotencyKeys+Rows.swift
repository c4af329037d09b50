import NIOCore
import SharedProtocol
import Storage

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// This file: what is in the table, and how webs that share it do not run a request twice. Which of two claims came first
/// is decided by the primary key.
extension IdempotencyKeys {
    /// - Parameter integer: the engine's name for 64 bits.
    static func schema(integer: String) -> String {
        """
        CREATE TABLE idempotency_keys (
            owner \(integer) NOT NULL,
            name TEXT NOT NULL,
            request TEXT NOT NULL,
            digest TEXT NOT NULL,
            writer TEXT NOT NULL,
            ended \(integer),
            abandoned \(integer),
            reply TEXT,
            reply_bytes \(integer) NOT NULL DEFAULT 0,
            output_limit \(integer),
            limited_by TEXT,
            PRIMARY KEY (owner, name)
        );
        CREATE INDEX idempotency_keys_by_end ON idempotency_keys (ended);
        CREATE INDEX idempotency_keys_by_loss ON idempotency_keys (abandoned);
        CREATE INDEX idempotency_keys_by_owner ON idempotency_keys (owner, reply_bytes);
        """
    }

    /// Marks what dead webs were running, from when on it counts as billed; and takes that back of what this one runs: it
    /// was only silent.
    static func markAbandoned(by writer: InstanceID, at now: Timestamp, _ connection: any SQLConnection) throws {
        try connection.execute(
            "UPDATE idempotency_keys SET abandoned = NULL WHERE abandoned IS NOT NULL AND writer = ?", [writer.rawValue]
        )
        try connection.execute(
            """
            UPDATE idempotency_keys SET abandoned = ? WHERE ended IS NULL AND abandoned IS NULL
            AND writer NOT IN (SELECT instance FROM webs)
            """, [now.rawValue])
    }

    static func forgetOld(at now: Timestamp, _ connection: any SQLConnection) throws {
        let oldest = now.rawValue - lifetime
        try connection.execute("DELETE FROM idempotency_keys WHERE ended <= ? OR abandoned <= ?", [oldest, oldest])
    }

    /// What is remembered under a key.
    enum Finding: Sendable {
        case nothing
        case tooMany
        case anotherRequest
        case running
        case ended(KeptReply?)
    }

    /// A key with the request that claimed it.
    struct Row: Sendable {
        let name: Name
        let request: RequestID
    }
}

extension IdempotencyKeys.Row {
    /// `nothing`: the key is this request's from now on.
    func claim(
        _ digest: IdempotencyKeys.Digest, by writer: InstanceID, at now: Timestamp, in connection: any SQLConnection
    ) throws -> IdempotencyKeys.Finding {
        let digest = Data(digest).base64EncodedString()
        let oldest = now.rawValue - IdempotencyKeys.lifetime
        try connection.execute(
            "DELETE FROM idempotency_keys WHERE owner = ? AND name = ? AND (ended <= ? OR abandoned <= ?)",
            [name.owner.rawValue, name.text, oldest, oldest])
        if let found = try find(digest, in: connection) { return found }
        let count: Int? = try connection.value(
            "SELECT count(*) FROM idempotency_keys WHERE owner = ?", [name.owner.rawValue])
        if count ?? 0 >= IdempotencyKeys.entriesPerKeyLimit { return .tooMany }
        let inserted = try connection.execute(
            """
            INSERT INTO idempotency_keys (owner, name, request, digest, writer) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (owner, name) DO NOTHING
            """,
            [name.owner.rawValue, name.text, request.rawValue, digest, writer.rawValue])
        if inserted == 1 { return .nothing }
        // Another web was faster; gone again already, it is as if it still ran.
        return try find(digest, in: connection) ?? .running
    }

    private func find(_ digest: String, in connection: any SQLConnection) throws -> IdempotencyKeys.Finding? {
        let row = try connection.row(
            """
            SELECT digest, coalesce(ended, abandoned), reply, output_limit, limited_by
            FROM idempotency_keys WHERE owner = ? AND name = ?
            """, [name.owner.rawValue, name.text])
        guard let row else { return nil }
        if row[0] != digest { return .anotherRequest }
        if (row[1] as Int64?) == nil { return .running }
        guard let body: String = row[2] else { return .ended(nil) }
        let limit = (row[3] as Int64?).map { TokenCount($0) }
        let limitedBy = (row[4] as String?).flatMap { Ledger.LimitedBy(rawValue: $0) }
        return .ended(
            IdempotencyKeys.KeptReply(
                body: ByteBuffer(string: body), lowered: limit.flatMap { limit in limitedBy.map { (limit, $0) } }))
    }

    /// Does nothing when the key is another request's by now, or the end has been saved, though nobody heard of it.
    func save(_ end: IdempotencyKeyEnd, at now: Timestamp, in connection: any SQLConnection) throws {
        switch end {
        case .notBilled:
            try connection.execute(
                "DELETE FROM idempotency_keys WHERE owner = ? AND name = ? AND request = ?",
                [name.owner.rawValue, name.text, request.rawValue])
        case .billed(let reply):
            let text = try reply.flatMap { try keepable($0.body, in: connection) }
            let lowered = text == nil ? nil : reply?.lowered
            try connection.execute(
                """
                UPDATE idempotency_keys
                SET ended = ?, abandoned = NULL, reply = ?, reply_bytes = ?, output_limit = ?, limited_by = ?
                WHERE owner = ? AND name = ? AND request = ? AND ended IS NULL
                """,
                [
                    now.rawValue, text, text?.utf8.count ?? 0, lowered?.limit.rawValue, lowered?.by.rawValue,
                    name.owner.rawValue, name.text, request.rawValue,
                ])
        }
    }

    /// The reply as text; nil when it is too long, its owner's replies would be, or it is no text.
    private func keepable(_ body: ByteBuffer, in connection: any SQLConnection) throws -> String? {
        guard body.readableBytes <= IdempotencyKeys.replyLimit else { return nil }
        let kept: Int? = try connection.value(
            "SELECT CAST(sum(reply_bytes) AS BIGINT) FROM idempotency_keys WHERE owner = ?", [name.owner.rawValue])
        guard (kept ?? 0) + body.readableBytes <= IdempotencyKeys.bytesPerKeyLimit else { return nil }
        // PostgreSQL takes no NUL in a text, and JSON has none but escaped.
        return body.readableBytesView.contains(0) ? nil : String(validating: body.readableBytesView, as: UTF8.self)
    }
}
