import Foundation
import Testing

@testable import SharedProtocol

@Suite struct ConfigurationExampleTests {
    private let example = repositoryFile("config/config.yaml.example")

    @Test func exampleLoadsWithoutComplaint() throws {
        let configuration = try ConfigurationLoader.load(path: example, environment: [:])
        #expect(configuration.warnings == [])
    }

    @Test func demoLoadsWithoutComplaintButTheOneThatItIsFor() throws {
        let configuration = try ConfigurationLoader.load(
            path: repositoryFile("config/demo.yaml"), environment: [:])
        #expect(configuration.app.devUser == "dev@example.com")
        #expect(configuration.isAdmin("Dev@Example.com"))
        #expect(configuration.models.map(\.name) == [ModelName("dummy")])
        #expect(configuration.rateLimiting.limits.count == 2)
        #expect(configuration.warnings.count == 1)
        #expect(configuration.warnings.first?.hasPrefix("app.dev_user:") == true)
    }

    /// `#key: value` without a space is a setting that is not made; with all of them made it must load too.
    @Test func everyKnownKeyIsInTheExample() throws {
        let made = try ConfigurationLoader.read(example)
            .split(separator: "\n", omittingEmptySubsequences: false)
            .map { line in line.replacing(/^( *)#(?=[a-z_]+:)/) { String($0.output.1) } }
            .joined(separator: "\n")
            .replacing("debug: false", with: "debug: true")
        let document = ConfigurationLoader.document(example, [:])
        let root = try #require(document.root(of: made))
        _ = LumenConfiguration(root)
        #expect(document.problems.map(\.problem) == [])
        let known = Set(document.knownKeys.map(sameForEveryBudget))
        #expect(known.subtracting(document.presentKeys.map(sameForEveryBudget)).sorted() == [])
        #expect(known.count > 70)
    }

    /// All budgets have the same keys; explaining them once is enough.
    private func sameForEveryBudget(_ key: String) -> String {
        key.replacing(/^groups\.<group>\.(default|shared|<model>|models\.<model>)\./, with: "<budget>.")
    }
}
