import NIOCore
import SharedProtocol

/// One backend of a model: what the configuration says of it, and its record, which outlives a reload. It never changes; an
/// object, because each running request holds it several times.
final class Endpoint: Sendable {
    let model: ModelName
    let configuration: EndpointConfiguration
    let record: EndpointRecord
    /// Both names as JSON strings, ready to be put into a request and a reply.
    let quotedRemoteModel: ByteBuffer
    let quotedPublicModel: ByteBuffer

    /// What makes an endpoint this one: two keys on one URL are two endpoints.
    struct Identity: Hashable, Sendable {
        let model: ModelName
        let url: String
        let remoteModel: String
        let key: Secret?
    }

    init(_ model: ModelName, _ configuration: EndpointConfiguration, _ record: EndpointRecord) {
        self.model = model
        self.configuration = configuration
        self.record = record
        quotedRemoteModel = ByteBuffer(quoting: configuration.remoteModel)
        quotedPublicModel = ByteBuffer(quoting: model.rawValue)
    }

    var identity: Identity { Self.identity(model, configuration) }

    static func identity(_ model: ModelName, _ configuration: EndpointConfiguration) -> Identity {
        Identity(
            model: model, url: configuration.url, remoteModel: configuration.remoteModel, key: configuration.apiKey)
    }

    /// The header fields of every request to it.
    func headers(accepting type: String) -> [(name: String, value: String)] {
        let accept = (name: "Accept", value: type)
        guard let key = configuration.apiKey else { return [accept] }
        return [accept, (name: "Authorization", value: "Bearer \(key.reveal())")]
    }
}
