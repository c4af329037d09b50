import NIOCore
import SharedProtocol

/// What an endpoint's model list says about it.
enum ProbeOutcome: Equatable {
    case good(String)
    case bad(String)

    var isGood: Bool {
        switch self {
        case .good: true
        case .bad: false
        }
    }

    var detail: String {
        switch self {
        case .good(let detail), .bad(let detail): detail
        }
    }
}

extension ProbeOutcome {
    /// A model is served when it is listed by its name, or with `:latest`, or when nothing is listed at all. A backend
    /// without a list is judged by its requests alone.
    init(status: Int, _ list: ByteBuffer, isServing model: String) {
        switch status {
        case 200..<300: break
        case 404, 405, 501:
            self = .good("has no model list")
            return
        default:
            self = .bad("status \(status)")
            return
        }
        guard let models = Self.models(in: list) else {
            self = .bad("the model list is not JSON")
            return
        }
        let isServed = models.isEmpty || models.contains(model) || models.contains(model + ":latest")
        self = isServed ? .good("serves the model") : .bad("does not list the model \(model)")
    }

    /// The ids of OpenAI's list; nil when it is not JSON.
    private static func models(in list: ByteBuffer) -> Set<String>? {
        list.withUnsafeReadableBytes { bytes in
            var models: Set<String> = []
            var scan = JSONScan(bytes)
            do throws(JSONScanError) {
                guard try scan.kind() == .object else { return [] }
                try scan.object { key, scan throws(JSONScanError) in
                    guard key == "data", try scan.kind() == .array else { return }
                    try scan.array { scan throws(JSONScanError) in
                        guard try scan.kind() == .object else { return }
                        try scan.object { key, scan throws(JSONScanError) in
                            if key == "id", try scan.kind() == .string { models.insert(try scan.string().text) }
                        }
                    }
                }
                try scan.end()
            } catch {
                return nil
            }
            return models
        }
    }
}
