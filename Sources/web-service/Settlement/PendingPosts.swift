import FoundationEssentials
import GRDB
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
        try await database.write { database in
            let json = String(decoding: try JSONEncoder().encode(post), as: UTF8.self)
            try database.execute(
                sql: "INSERT OR IGNORE INTO pending_posts (request, post) VALUES (?, ?)",
                arguments: [post.request.rawValue, json])
        }
    }

    func oldest(_ count: Int) async throws(CallError) -> [Ledger.Post] {
        try await database.read { database in
            let posts = try String.fetchAll(
                database, sql: "SELECT post FROM pending_posts ORDER BY rowid LIMIT ?", arguments: [count])
            return try posts.map { try JSONDecoder().decode(Ledger.Post.self, from: Data($0.utf8)) }
        }
    }

    func remove(_ request: RequestID) async throws(CallError) {
        try await database.write { database in
            try database.execute(
                sql: "DELETE FROM pending_posts WHERE request = ?", arguments: [request.rawValue])
        }
    }
}
