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
        switch path {
        case "/v1/chat/completions": self = .run(.chatCompletions)
        case "/v1/completions": self = .run(.completions)
        case "/v1/embeddings": self = .run(.embeddings)
        case "/v1/models": self = .models
        default:
            guard path.hasPrefix(Self.modelPrefix), path.utf8.count > Self.modelPrefix.utf8.count else { return nil }
            // A name may hold slashes, as they are or percent-encoded.
            let name = String(path.dropFirst(Self.modelPrefix.count))
            self = .model(ModelName(name.removingPercentEncoding ?? name))
        }
    }

    private static let modelPrefix = "/v1/models/"

    var methods: [HTTPRequest.Method] {
        switch self {
        case .run: [.post]
        case .models, .model: [.get, .head]
        }
    }

    /// For `Allow`.
    var allowed: String { (methods + [.options]).map(\.rawValue).joined(separator: ", ") }
}
