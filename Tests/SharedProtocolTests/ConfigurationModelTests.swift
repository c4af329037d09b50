import Testing

@testable import SharedProtocol

@Suite struct ConfigurationModelTests {
    private func model(_ lines: String) throws -> ModelConfiguration {
        try #require(try loadLeast(and: "models:\n" + lines).models.first)
    }

    @Test func defaultsAreThoseOfTheTable() throws {
        let model = try model("  - name: m\n    endpoints:\n      - url: http://h:1/v1/\n")
        #expect(model.isActive)
        #expect(model.inputPrice == .free)
        #expect(model.contextWindow == nil)
        #expect(model.maxOutputTokens == nil)
        #expect(model.imageTokens == 2048)
        #expect(model.templateTokens == 0)
        let endpoint = try #require(model.endpoints.first)
        #expect(endpoint.url == "http://h:1/v1")
        #expect(endpoint.apiKey == nil)
        #expect(endpoint.remoteModel == "m")
        #expect(endpoint.maxConcurrency == nil)
        #expect(endpoint.outputLimitField == "max_tokens")
        #expect(
            endpoint.timeouts
                == BackendTimeouts(connect: .seconds(3), firstByte: .seconds(300), idle: .seconds(120)))
    }

    @Test func endpointTakesItsTimeoutsBeforeThoseOfRouting() throws {
        let configuration = try loadLeast(
            and: "models:\n  - name: m\n    endpoints:\n      - url: http://h/v1\n        idle_timeout: 500ms\n"
                + "routing:\n  connect_timeout: 1.5\n  idle_timeout: 9\n")
        #expect(
            configuration.models.first?.endpoints.first?.timeouts
                == BackendTimeouts(connect: .milliseconds(1500), firstByte: .seconds(300), idle: .milliseconds(500)))
    }

    @Test func nameAndEndpointsAreRequired() {
        #expect(
            problemsOfLeast(and: "models:\n  - active: true\n") == [
                "config.yaml:7: models[0].name: required: non-empty text on one line",
                "config.yaml:7: models[0].endpoints: required: at least one endpoint",
            ])
        #expect(
            problemsOfLeast(and: "models:\n  - name: m\n    endpoints: []\n") == [
                "config.yaml:8: models[0].endpoints: required: at least one endpoint"
            ])
    }

    @Test func nameThatAppearsTwiceIsAnError() {
        let one = "  - name: m\n    endpoints:\n      - url: http://h/v1\n"
        #expect(
            problemsOfLeast(and: "models:\n" + one + one) == [
                "config.yaml:10: models[1].name: there is another model with the name “m”"
            ])
    }

    @Test func aModelHasNotTheNameOfThePoolThatModelsShare() {
        let model = "  - name: default\n    endpoints:\n      - url: http://h/v1\n"
        let reason = "“default” is what budgets call the pool of all models without one of their own"
        #expect(problemsOfLeast(and: "models:\n" + model) == ["config.yaml:7: models[0].name: \(reason)"])
    }

    @Test func sameEndpointTwiceIsAnErrorButTwoKeysOnOneURLAreTwoEndpoints() throws {
        let head = "models:\n  - name: m\n    endpoints:\n      - url: http://h/v1\n        api_key: a\n"
        #expect(
            problemsOfLeast(and: head + "      - url: http://H:80/v1/\n        api_key: a\n        model: m\n") == [
                "config.yaml:11: models[0].endpoints[1]: the same endpoint (url, model and api_key) is listed twice"
            ])
        let two = try loadLeast(and: head + "      - url: http://h/v1\n        api_key: b\n")
        #expect(two.models.first?.endpoints.count == 2)
    }

    @Test(arguments: ["h:1/v1", "ftp://h/v1", "http://", "http://u:hunter2@h/v1", "http://h/v1#x", "http://h/v1?k=v"])
    func endpointURLIsAnAddressAndIsNotQuoted(url: String) {
        let found = problemsOfLeast(and: "models:\n  - name: m\n    endpoints:\n      - url: \"\(url)\"\n")
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("config.yaml:9: models[0].endpoints[0].url: ") == true)
        #expect(found.first?.contains("hunter2") == false)
    }

    @Test(arguments: [
        ("5.0", 5_000_000_000), ("0.15", 150_000_000), ("0", 0), ("0.000000001", 1), ("1000000", 1_000_000_000_000_000),
        ("007.50", 7_500_000_000),
    ])
    func priceIsExactDecimalText(text: String, nanoDollars: Int64) {
        #expect(TokenPrice(dollars: text)?.nanoDollarsPerMillion == nanoDollars)
    }

    @Test(arguments: ["-1", "1e3", "0.0000000001", "1000000.1", "", ".5", "5.", "1,5", "NaN", "1 "])
    func otherPriceIsAnError(text: String) {
        #expect(TokenPrice(dollars: text) == nil)
    }

    @Test func wrongPriceNamesItsKey() {
        let found = problemsOfLeast(
            and: "models:\n  - name: m\n    input_cost_per_million: cheap\n    endpoints:\n      - url: http://h/v1\n")
        #expect(
            found == [
                "config.yaml:8: models[0].input_cost_per_million: expected USD as a decimal number with at most 9 "
                    + "places, found “cheap”"
            ])
    }

    @Test func costIsRoundedHalfUpOncePerEvent() {
        let price = TokenPrice(nanoDollarsPerMillion: 250_000)
        // A quarter of a nano-dollar for each: one and one make a half, which is rounded up once.
        #expect(TokenPrice.cost(of: [(1, price), (1, price)]) == 1)
        #expect(TokenPrice.cost(of: [(1, price)]) == 0)
        #expect(TokenPrice.cost(of: [(1_000_000, TokenPrice(nanoDollarsPerMillion: 5_000_000_000))]) == 5_000_000_000)
        let most = TokenPrice(nanoDollarsPerMillion: TokenPrice.most)
        #expect(TokenPrice.cost(of: [(Budget.mostTokens, most)]) == NanoDollars(Int64.max))
    }

    @Test func noActiveModelIsAWarningOnly() throws {
        let none = try load(leastConfiguration)
        #expect(none.warnings.contains { $0.hasPrefix("models: ") })
        let hidden = try loadLeast(
            and: "models:\n  - name: m\n    active: false\n    endpoints:\n      - url: http://h/v1\n")
        #expect(hidden.warnings.contains { $0.hasPrefix("models: ") })
    }

    @Test func limitFieldIsAPlainName() {
        let found = problemsOfLeast(
            and: "models:\n  - name: m\n    endpoints:\n      - url: http://h/v1\n        output_limit_field: 'a\"b'\n")
        #expect(found.first?.hasPrefix("config.yaml:10: models[0].endpoints[0].output_limit_field: ") == true)
    }
}
