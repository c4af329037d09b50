import FoundationEssentials
import SharedProtocol
import Storage

/// Posts that the ledger has not taken yet, in web's own database: as durable as the ledger's.
struct PendingPosts: Sendable {
    static let schema = """
        CREATE TABLE pending_posts (
            request TEXT PRIMARY KEY,
            post TEXT NOT NULL
        ) STRICT;
        """

    private let database: ServiceDatabase

    init(_ database: ServiceDatabase) { self.database = database }

    func add(_ post: Ledger.Post) async throws(CallError) {
        try await database.write { connection in
            let json = String(decoding: try JSONEncoder().encode(post), as: UTF8.self)
            try connection.execute(
                "INSERT INTO pending_posts (request, post) VALUES (?, ?) ON CONFLICT (request) DO NOTHING",
                [post.request.rawValue, json])
        }
    }

    func oldest(_ count: Int) async throws(CallError) -> [Ledger.Post] {
        try await database.read { connection in
            try connection.rows("SELECT post FROM pending_posts ORDER BY rowid LIMIT ?", [count]).map { row in
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
