import Storage
import Testing

extension SQLEngine {
    /// The one that the test at hand is to use.
    @TaskLocal public static var current = SQLEngine.sqlite
}

/// Runs each test of a suite, its `init` included, on every engine that there is.
public struct BothEngines: SuiteTrait, TestTrait, TestScoping {
    public var isRecursive: Bool { true }

    public func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        guard testCase != nil else { return try await function() }
        for engine in TestDatabase.engines {
            let labelled = IssueHandlingTrait.compactMapIssues { issue in
                var issue = issue
                issue.comments.append("on \(engine)")
                return issue
            }
            try await SQLEngine.$current.withValue(engine) {
                try await labelled.provideScope(for: test, testCase: testCase, performing: function)
            }
        }
    }
}

extension Trait where Self == BothEngines {
    public static var bothEngines: BothEngines { BothEngines() }
}
