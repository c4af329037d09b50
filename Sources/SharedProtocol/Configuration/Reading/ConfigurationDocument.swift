import Yams

/// What one reading of the configuration gathers beside its values: where they come from, and what is wrong with them.
/// Confined to the function that loads.
final class ConfigurationDocument {
    /// As the operator named it.
    let file: String
    /// Values from the environment by the full path of the key that they replace.
    let overrides: [String: EnvironmentOverride]
    private(set) var problems: [Located] = []
    /// Every key that was asked for, with list indices and the operator's own names taken out: `models[].name`.
    private(set) var knownKeys: Set<String> = []
    /// Those of them that the file sets.
    private(set) var presentKeys: Set<String> = []

    struct Located {
        var line: Int?
        var problem: ConfigurationProblem
    }

    init(file: String, overrides: [String: EnvironmentOverride]) {
        self.file = file
        self.overrides = overrides
    }

    /// The folder that relative paths start from.
    var folder: String { FilePaths.folder(of: FilePaths.absolute(file, relativeTo: FilePaths.workingFolder)) }

    /// Reads the text's one mapping; nothing, with a problem reported, when it is not one.
    func root(of text: String) -> ConfigurationSection? {
        do {
            switch try Yams.compose(yaml: text) {
            case .mapping(let mapping)?:
                return ConfigurationSection(mapping, path: "", pattern: "", line: 1, in: self)
            case nil:
                complain(line: nil, key: "", "the file is empty")
            case let node?:
                complain(line: node.mark?.line, key: "", "expected “key: value” lines")
            }
        } catch let error as YamlError {
            complain(about: error)
        } catch {
            complain(line: nil, key: "", "cannot be read as YAML")
        }
        return nil
    }

    func complain(line: Int?, key: String, _ sentence: String) {
        let place = overrides[key].map { "environment \($0.variable)" } ?? file + (line.map { ":\($0)" } ?? "")
        problems.append(
            Located(line: line, problem: ConfigurationProblem(place: place, key: key, sentence: sentence)))
    }

    func note(key pattern: String, isPresent: Bool) {
        knownKeys.insert(pattern)
        if isPresent { presentKeys.insert(pattern) }
    }

    /// All that was found, in the file's order.
    var sortedProblems: [ConfigurationProblem] {
        problems.enumerated()
            .sorted { ($0.element.line ?? 0, $0.offset) < ($1.element.line ?? 0, $1.offset) }
            .map(\.element.problem)
    }

    /// Only the parser's words and the mark are passed on: the error's own description quotes the file.
    private func complain(about error: YamlError) {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            complain(line: mark.line, key: "", "not YAML: \(problem)")
        case .duplicatedKeysInMapping(let keys, let context):
            for key in keys { complain(line: context.mark.line, key: key, "the key appears more than once") }
        case .reader(let problem, _, _, _):
            complain(line: nil, key: "", "not YAML: \(problem)")
        default:
            complain(line: nil, key: "", "cannot be read as YAML")
        }
    }
}
