import Foundation
import Testing

@testable import SharedProtocol

/// The least that loads; tests add to it.
let leastConfiguration = """
    app:
      secret_key: 0123456789abcdef0123456789abcdef
      encryption_key: other
      debug: true
      dev_user: dev@example.com

    """

/// Loads `text` as the file `config.yaml`.
func load(_ text: String, environment: [String: String] = [:]) throws(ConfigurationProblems) -> LumenConfiguration {
    try ConfigurationLoader.load(text: text, path: "/srv/lumen/config.yaml", environment: environment)
}

/// Loads the least configuration with `text` after it.
func loadLeast(
    and text: String, environment: [String: String] = [:]
) throws(ConfigurationProblems) -> LumenConfiguration {
    try load(leastConfiguration + text, environment: environment)
}

/// What is wrong with `text`, one line for each problem, without the folder.
func problems(_ text: String, environment: [String: String] = [:]) -> [String] {
    do throws(ConfigurationProblems) {
        _ = try load(text, environment: environment)
        return []
    } catch {
        return error.problems.map { $0.description.replacingOccurrences(of: "/srv/lumen/", with: "") }
    }
}

/// What is wrong with the least configuration and `text` after it, which begins at line 6.
func problemsOfLeast(and text: String, environment: [String: String] = [:]) -> [String] {
    problems(leastConfiguration + text, environment: environment)
}

/// A file of the repository.
func repositoryFile(_ path: String) -> String {
    var root = URL(filePath: #filePath)
    for _ in 0..<3 { root.deleteLastPathComponent() }
    return root.appending(path: path).path(percentEncoded: false)
}
