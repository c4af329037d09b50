/// One of `models`: a name that users see, and the backends behind it.
public struct ModelConfiguration: Sendable, Hashable {
    public var name: ModelName
    /// An inactive model is hidden and cannot be used.
    public var isActive: Bool
    public var inputPrice: TokenPrice
    public var outputPrice: TokenPrice
    public var description: String
    /// Prompt and output together.
    public var contextWindow: TokenCount?
    /// The most that one output may have, whatever the client asks for.
    public var maxOutputTokens: TokenCount?
    /// What one image of a prompt costs at most.
    public var imageTokens: TokenCount
    /// What the model's chat template adds to a prompt at most.
    public var templateTokens: TokenCount
    /// At least one.
    public var endpoints: [EndpointConfiguration]

    /// The price of a request, rounded once.
    public func cost(prompt: TokenCount, completion: TokenCount) -> NanoDollars {
        TokenPrice.cost(of: [(prompt, inputPrice), (completion, outputPrice)])
    }
}

/// One of `models[].endpoints`: an OpenAI-compatible backend. Its identity is (model, URL, remote name, key).
public struct EndpointConfiguration: Sendable, Hashable {
    /// `…/v1`, without a slash at the end.
    public var url: String
    public var apiKey: Secret?
    /// The name sent to this endpoint.
    public var remoteModel: String
    /// How many requests of each router may run there at once; any number, if absent. Others wait in line.
    public var maxConcurrency: Int?
    /// The member that carries the output limit when the client named none.
    public var outputLimitField: String
    /// Its own time-outs where it has them, else those of `routing`.
    public var timeouts: BackendTimeouts
}

extension ModelConfiguration {
    static let mostTokens: TokenCount = 1_000_000_000
    /// The pool that models without a budget of their own share.
    static let reservedName = "default"

    /// Reads `models`; a model without a usable name is reported and left out.
    static func readAll(_ root: ConfigurationSection, timeouts: BackendTimeouts) -> [ModelConfiguration] {
        var names: Set<ModelName> = []
        return root.sections("models").compactMap { section in
            guard let model = ModelConfiguration(section, timeouts: timeouts) else { return nil }
            if !names.insert(model.name).inserted {
                section.complain("name", "there is another model with the name “\(model.name)”")
            }
            return model
        }
    }

    private init?(_ section: ConfigurationSection, timeouts: BackendTimeouts) {
        let name = section.require("name", .nonEmptyText)
        isActive = section.read("active", .flag, default: true)
        inputPrice = section.read("input_cost_per_million", .price, default: .free)
        outputPrice = section.read("output_cost_per_million", .price, default: .free)
        description = section.read("description", .text, default: "")
        contextWindow = section.read("context_window", .tokens(from: 1, upTo: Self.mostTokens))
        maxOutputTokens = section.read("max_output_tokens", .tokens(from: 1, upTo: Self.mostTokens))
        imageTokens = section.read("image_tokens", .tokens(upTo: Self.mostTokens), default: 2048)
        templateTokens = section.read("template_tokens", .tokens(upTo: Self.mostTokens), default: 0)
        endpoints = EndpointConfiguration.readAll(section, model: name ?? "", timeouts: timeouts)
        section.finish()
        guard let name else { return nil }
        if name == Self.reservedName {
            section.complain("name", "“\(name)” is what budgets call the pool of all models without one of their own")
        }
        self.name = ModelName(name)
    }
}

extension EndpointConfiguration {
    static func readAll(
        _ model: ConfigurationSection, model name: String, timeouts: BackendTimeouts
    ) -> [EndpointConfiguration] {
        let sections = model.sections("endpoints")
        if sections.isEmpty { model.complain("endpoints", "required: at least one endpoint") }
        var identities: Set<[String?]> = []
        return sections.compactMap { section in
            guard let endpoint = EndpointConfiguration(section, model: name, timeouts: timeouts) else { return nil }
            let identity = [endpoint.url, endpoint.remoteModel, endpoint.apiKey?.reveal()]
            if !identities.insert(identity).inserted {
                section.complain("the same endpoint (url, model and api_key) is listed twice")
            }
            return endpoint
        }
    }

    private init?(_ section: ConfigurationSection, model: String, timeouts: BackendTimeouts) {
        let address = section.require("url", .webAddress)
        apiKey = section.read("api_key", .secret)
        remoteModel = section.read("model", .nonEmptyText, default: model)
        maxConcurrency = section.read("max_concurrency", .integer(1...1_000_000))
        outputLimitField = section.read("output_limit_field", .memberName, default: "max_tokens")
        self.timeouts = BackendTimeouts(section, default: timeouts)
        section.finish()
        guard let address else { return nil }
        var url = address.description
        while url.hasSuffix("/") { url.removeLast() }
        if url.contains("?") { section.complain("url", "an endpoint's address has no “?”") }
        self.url = url
    }
}
