import FoundationEssentials
import SharedProtocol
import Storage

/// Posts that the ledger has not taken yet, in web's own database: as durable as the ledger's. Each belongs to a web; those
/// of a dead one are taken over by another (`Presence`). One that is delivered twice is harmless, by its request id.
struct PendingPosts: Sendable {
    static let schema = """
        CREATE TABLE pending_posts (
            request TEXT PRIMARY KEY,
            post TEXT NOT NULL
        )
        """

    private let database: ServiceDatabase
    private let owner: InstanceID

    /// - Parameter owner: this web, which alone delivers what it adds, as long as it lives.
    init(_ database: ServiceDatabase, owner: InstanceID) {
        self.database = database
        self.owner = owner
    }

    func add(_ post: Ledger.Post) async throws(CallError) {
        try await database.write { [owner] connection in
            let json = String(decoding: try JSONEncoder().encode(post), as: UTF8.self)
            try connection.execute(
                "INSERT INTO pending_posts (request, post, owner, kept) VALUES (?, ?, ?, ?) ON CONFLICT (request) DO NOTHING",
                [post.request.rawValue, json, owner.rawValue, Timestamp.now().rawValue])
        }
    }

    func oldest(_ count: Int) async throws(CallError) -> [Ledger.Post] {
        try await database.read { [owner] connection in
            try connection.rows(
                "SELECT post FROM pending_posts WHERE owner = ? ORDER BY kept, request LIMIT ?",
                [owner.rawValue, count]
            ).map { row in
                try JSONDecoder().decode(Ledger.Post.self, from: Data((row[0] as String).utf8))
            }
        }
    }

    func remove(_ request: RequestID) async throws(CallError) {
        try await database.write { connection in
            try connection.execute("DELETE FROM pending_posts WHERE request = ?", [request.rawValue])
        }
    }
}
