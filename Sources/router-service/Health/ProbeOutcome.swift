import NIOCore
import SharedProtocol

/// What an endpoint's model list says about it.
struct ProbeOutcome: Equatable {
    let verdict: HealthState.Verdict
    /// For the operator.
    let detail: String

    static func good(_ detail: String) -> ProbeOutcome { ProbeOutcome(verdict: .good, detail: detail) }
    static func alive(_ detail: String) -> ProbeOutcome { ProbeOutcome(verdict: .alive, detail: detail) }
    static func bad(_ detail: String) -> ProbeOutcome { ProbeOutcome(verdict: .bad, detail: detail) }
}

extension ProbeOutcome {
    /// A model is served when it is listed by its name, or with `:latest`, or when nothing is listed at all. A backend
    /// without a list, or that answers too many requests with 429, is judged by its requests alone.
    init(status: Int, _ list: ByteBuffer, isServing model: String) {
        switch status {
        case 200..<300: break
        case 404, 405, 501:
            self = .alive("has no model list")
            return
        case 429:
            self = .alive("its model list has been asked for too often")
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
