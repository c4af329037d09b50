import Yams

/// One mapping of the file, read key by key. Asking for a key is what makes it known; `finish()` reports the others. So
/// the function that reads a section is at once the table of its keys. Every problem is reported and reading goes on.
final class ConfigurationSection {
    /// The full path of this section; empty for the whole file.
    let path: String
    let line: Int?
    let document: ConfigurationDocument
    /// As `path`, without indices and without names that the operator chose.
    private let pattern: String
    private var entries: [String: Entry] = [:]
    /// In the file's order.
    private var order: [String] = []
    private var known: [String] = []

    private struct Entry {
        var node: Node
        var line: Int?
    }

    init(_ mapping: Node.Mapping?, path: String, pattern: String, line: Int?, in document: ConfigurationDocument) {
        self.path = path
        self.pattern = pattern
        self.line = line
        self.document = document
        for (key, value) in mapping ?? Node.Mapping([]) {
            let mark = key.mark?.line
            guard let name = key.scalar?.string else {
                document.complain(line: mark, key: path, "a key must be plain text")
                continue
            }
            entries[name] = Entry(node: value, line: mark)
            order.append(name)
        }
    }

    // MARK: Values

    /// The key's value; nothing when it is absent, empty or wrong.
    func read<Value>(_ key: String, _ format: ScalarFormat<Value>) -> Value? {
        guard let entry = entry(key) else { return nil }
        guard case .scalar(let scalar) = entry.node else {
            complain(key, "expected \(format.expectation), found \(entry.node.kind)")
            return nil
        }
        let text = ScalarText(text: scalar.string, isQuoted: scalar.isQuoted)
        if let value = format.parse(text) { return value }
        complain(key, "expected \(format.expectation)" + (format.isSecret ? "" : ", found “\(text.text.prefix(80))”"))
        return nil
    }

    func read<Value>(_ key: String, _ format: ScalarFormat<Value>, default value: Value) -> Value {
        read(key, format) ?? value
    }

    /// The key's value; an absent or empty one is a problem.
    func require<Value>(_ key: String, _ format: ScalarFormat<Value>) -> Value? {
        if entry(key) == nil { complain(key, "required: \(format.expectation)") }
        return read(key, format)
    }

    /// A list of plain values; wrong ones are reported and left out.
    func readList<Value>(_ key: String, _ format: ScalarFormat<Value>) -> [Value]? {
        guard let entry = entry(key) else { return nil }
        guard case .sequence(let nodes) = entry.node else {
            complain(key, "expected a list, found \(entry.node.kind)")
            return nil
        }
        return nodes.enumerated().compactMap { index, node in
            if let scalar = node.scalar, let value = format.parse(ScalarText(scalar)) { return value }
            document.complain(
                line: node.mark?.line ?? entry.line, key: "\(fullPath(key))[\(index)]",
                "expected \(format.expectation)")
            return nil
        }
    }

    // MARK: Sections

    /// The section under `key`; an empty one when it is absent, so that its defaults and overrides are read.
    func section(_ key: String) -> ConfigurationSection {
        optionalSection(key) ?? makeSection(nil, key, line: line)
    }

    /// The section under `key`; nothing when it is absent or no section.
    func optionalSection(_ key: String) -> ConfigurationSection? {
        guard let entry = entry(key) else { return nil }
        guard case .mapping(let mapping) = entry.node else {
            complain(key, "expected a section of “key: value” lines, found \(entry.node.kind)")
            return nil
        }
        return makeSection(mapping, key, line: entry.line)
    }

    /// The list of sections under `key`; none when it is absent.
    func sections(_ key: String) -> [ConfigurationSection] {
        guard let entry = entry(key) else { return [] }
        guard case .sequence(let nodes) = entry.node else {
            complain(key, "expected a list of sections, found \(entry.node.kind)")
            return []
        }
        return nodes.enumerated().compactMap { index, node in
            let path = "\(fullPath(key))[\(index)]"
            guard case .mapping(let mapping) = node else {
                document.complain(
                    line: node.mark?.line ?? entry.line, key: path,
                    "expected a section of “key: value” lines, found \(node.kind)")
                return nil
            }
            return ConfigurationSection(
                mapping, path: path, pattern: "\(fullPattern(key))[]", line: node.mark?.line, in: document)
        }
    }

    /// The keys that nothing has asked for yet: names that the operator chose, in the file's order.
    var remainingKeys: [String] { order.filter { !known.contains($0) } }

    /// The section under a name that the operator chose; all such are documented as one, by `placeholder`.
    func namedSection(_ key: String, as placeholder: String) -> ConfigurationSection? {
        known.append(key)
        let pattern = pattern.isEmpty ? placeholder : "\(pattern).\(placeholder)"
        document.note(key: pattern, isPresent: true)
        guard let entry = entries[key] else { return nil }
        switch entry.node {
        case .mapping(let mapping):
            return ConfigurationSection(
                mapping, path: fullPath(key), pattern: pattern, line: entry.line, in: document)
        case .scalar(let scalar) where scalar.isEmpty:
            return ConfigurationSection(nil, path: fullPath(key), pattern: pattern, line: entry.line, in: document)
        default:
            complain(key, "expected a section of “key: value” lines, found \(entry.node.kind)")
            return nil
        }
    }

    /// The value under a name that the operator chose; all such are documented as one, by `placeholder`.
    func readNamed<Value>(_ key: String, as placeholder: String, _ format: ScalarFormat<Value>) -> Value? {
        document.note(key: "\(pattern).\(placeholder)", isPresent: true)
        return read(key, format)
    }

    // MARK: Problems

    /// Reports the problem at the key's line, or at the section's when the key is absent.
    func complain(_ key: String, _ sentence: String) {
        document.complain(line: entries[key]?.line ?? line, key: fullPath(key), sentence)
    }

    /// Reports the problem at the section itself.
    func complain(_ sentence: String) { document.complain(line: line, key: path, sentence) }

    /// Reports every key that nothing asked for, with the known key that was likely meant.
    /// - Parameter others: names that are also possible here.
    func finish(suggesting others: [String] = [], otherwise sentence: String = "unknown key") {
        for key in remainingKeys {
            let meant = Spelling.nearest(to: key, among: known + others)
            complain(key, sentence + (meant.map { "; did you mean “\($0)”?" } ?? ""))
        }
    }

    // MARK: Details

    /// Whether the environment sets any key of this section.
    var hasOverrides: Bool { document.overrides.keys.contains { $0.hasPrefix(path + ".") } }

    /// Whether the file or the environment says anything under `key`.
    func has(_ key: String) -> Bool { entry(key) != nil }

    private func entry(_ key: String) -> Entry? {
        if !known.contains(key) { known.append(key) }
        let found = entries[key].flatMap { $0.node.scalar?.isEmpty == true ? nil : $0 }
        document.note(key: fullPattern(key), isPresent: found != nil)
        if let override = document.overrides[fullPath(key)] { return Entry(node: override.node, line: nil) }
        return found
    }

    private func makeSection(_ mapping: Node.Mapping?, _ key: String, line: Int?) -> ConfigurationSection {
        ConfigurationSection(
            mapping, path: fullPath(key), pattern: fullPattern(key), line: line, in: document)
    }

    private func fullPath(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }
    private func fullPattern(_ key: String) -> String { pattern.isEmpty ? key : "\(pattern).\(key)" }
}

extension Node {
    /// What it is, for a message.
    var kind: String {
        switch self {
        case .scalar: "a plain value"
        case .sequence: "a list"
        case .mapping: "a section"
        case .alias: "an alias"
        }
    }
}

extension Node.Scalar {
    var isQuoted: Bool { style != .plain && style != .any }
    /// An empty value, as in `dev_user:` or `dev_user: ""`, means that the key is not set.
    var isEmpty: Bool { string.isEmpty || !isQuoted && ["~", "null", "Null", "NULL"].contains(string) }
}

extension ScalarText {
    init(_ scalar: Node.Scalar) { self.init(text: scalar.string, isQuoted: scalar.isQuoted) }
}
