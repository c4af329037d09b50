import NIOCore
import SharedProtocol

/// What the directory tells web and the operator.
extension EndpointDirectory {
    var report: [Router.EndpointHealth] {
        let now = NIODeadline.now()
        return all.map { $0.record.report(model: $0.model, url: $0.configuration.url, at: now) }
    }

    /// Sentences about the models that cannot be served.
    var problems: [String] {
        let healthy = Set(report.filter(\.isHealthy).map(\.model))
        let models = Set(all.map(\.model))
        return models.subtracting(healthy).map(\.rawValue).sorted().map { "No endpoint of the model \($0) is healthy." }
    }
}
