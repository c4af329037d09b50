/// One thing that is wrong with the configuration: where, which key, and what, in a sentence. It never holds a secret.
public struct ConfigurationProblem: Sendable, Hashable, CustomStringConvertible {
    /// `config.yaml:12`, or `environment LUMEN_LISTEN`.
    public var place: String
    /// The full path of the key, `models[0].endpoints[1].url`; empty when the file as a whole is meant.
    public var key: String
    public var sentence: String

    public init(place: String, key: String, sentence: String) {
        self.place = place
        self.key = key
        self.sentence = sentence
    }

    public var description: String { key.isEmpty ? "\(place): \(sentence)" : "\(place): \(key): \(sentence)" }
}

/// Everything that is wrong with the configuration, in the file's order; at least one.
public struct ConfigurationProblems: Error, Sendable, Hashable, CustomStringConvertible {
    public let problems: [ConfigurationProblem]

    public init(_ problems: [ConfigurationProblem]) { self.problems = problems }

    /// One line for each.
    public var description: String { problems.map(\.description).joined(separator: "\n") }
}
