import Hummingbird
import SharedProtocol

extension Site {
    /// What there is, what it costs, and whether it works at the moment.
    func models(_ visit: Visit) async throws -> Response {
        async let sheet = balances(for: visit)
        async let health = endpoints()
        let content = ModelsPage(
            models: configuration().models.filter(\.isActive), sheet: await sheet, health: await health)
        return page("models", title: "Models", content, for: visit)
    }
}

/// The models as the page lists them.
struct ModelsPage: Sendable {
    var models: [Row]
    var isEmpty: Bool
    /// The ledger did not say which models the reader may use.
    var isAccessUnknown: Bool

    struct Row: Sendable {
        var name: String
        var description: String?
        var inputPrice: String
        var outputPrice: String
        var contextWindow: String?
        var isUsable: Bool
        var isWithheld: Bool
        var health: String
        var healthClass: String
    }

    init(models: [ModelConfiguration], sheet: Ledger.BalanceSheet?, health: [EndpointHealth]) {
        let usable = Set(sheet?.models.map(\.model) ?? [])
        isEmpty = models.isEmpty
        isAccessUnknown = sheet == nil
        self.models = models.map { model in
            let state = ModelHealth(of: model.name, in: health)
            return Row(
                name: model.name.rawValue, description: model.description.isEmpty ? nil : model.description,
                inputPrice: Self.perMillion(model, prompt: 1_000_000, completion: 0),
                outputPrice: Self.perMillion(model, prompt: 0, completion: 1_000_000),
                contextWindow: model.contextWindow?.grouped, isUsable: usable.contains(model.name),
                isWithheld: sheet != nil && !usable.contains(model.name), health: state.sentence,
                healthClass: state.isUsable ? "good" : "bad")
        }
    }

    private static func perMillion(
        _ model: ModelConfiguration, prompt: TokenCount, completion: TokenCount
    ) -> String {
        let cost = model.cost(prompt: prompt, completion: completion)
        return cost == .zero ? "free" : cost.dollars
    }
}

/// How a model's endpoints are, over all routers: an endpoint counts as well when any router finds it so.
struct ModelHealth: Sendable, Hashable {
    var healthy: Int
    var total: Int

    init(of model: ModelName, in health: [EndpointHealth]) {
        let endpoints = Dictionary(grouping: health.filter { $0.model == model }, by: \.url)
        total = endpoints.count
        healthy = endpoints.values.count { $0.contains(where: \.isHealthy) }
    }

    /// Unknown health is no reason to hide a model.
    var isUsable: Bool { healthy > 0 || total == 0 }

    var sentence: String {
        switch (healthy, total) {
        case (_, 0): "Unknown"
        case (0, _): "Not working"
        case (total, _): "Working"
        default: "Working, \(healthy) of \(total) endpoints"
        }
    }
}
