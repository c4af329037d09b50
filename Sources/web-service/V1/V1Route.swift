import Foundation
import HTTPTypes
import SharedProtocol

/// Where a request below `/v1` goes.
enum V1Route: Sendable, Hashable {
    case run(ModelRequest.Operation)
    case models
    case model(ModelName)

    /// Nil: there is no such path.
    init?(path: String) {
        if let route = Self.paths[path] {
            self = route
            return
        }
        guard path.hasPrefix(Self.modelPrefix), path.utf8.count > Self.modelPrefix.utf8.count else { return nil }
        // A name may hold slashes, as they are or percent-encoded.
        let name = String(path.dropFirst(Self.modelPrefix.count))
        self = .model(ModelName(name.removingPercentEncoding ?? name))
    }

    /// Every path but those of single models.
    static let paths: [String: V1Route] = [
        "/v1/chat/completions": .run(.chatCompletions), "/v1/completions": .run(.completions),
        "/v1/embeddings": .run(.embeddings), "/v1/models": .models,
    ]

    /// Before the name of a single model.
    static let modelPrefix = "/v1/models/"

    var methods: [HTTPRequest.Method] {
        switch self {
        case .run: [.post]
        case .models, .model: [.get, .head]
        }
    }

    /// For `Allow`.
    var allowed: String { (methods + [.options]).map(\.rawValue).joined(separator: ", ") }
}
