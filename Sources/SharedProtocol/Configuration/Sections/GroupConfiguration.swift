/// One of `groups`: who belongs to it by rule, and how many tokens its members may spend.
public struct GroupConfiguration: Sendable, Hashable {
    public var name: GroupName
    /// Empty matches no one.
    public var rules: [GroupRule]
    public var match: GroupMatch
    /// A disabled group gives nothing to anyone.
    public var isDisabled: Bool
    /// For every model without an entry of its own: one pool over all of them.
    public var defaultBudget: Budget?
    /// Models with a pool of their own.
    public var modelBudgets: [ModelName: Budget]
    /// A second limit, for all members together.
    public var sharedBudget: Budget?
}

/// Whether all rules of a group must match or one is enough.
public enum GroupMatch: String, Sendable, Hashable, CaseIterable {
    case all, any
}

/// One condition on what the identity provider says about a person.
public struct GroupRule: Sendable, Hashable {
    public var field: ClaimField
    public var matcher: Matcher

    public enum ClaimField: String, Sendable, Hashable, CaseIterable {
        case affiliation, memberOf = "member_of", idp, ou
    }

    /// Never empty text.
    public enum Matcher: Sendable, Hashable {
        /// A part of one of the claim's values.
        case contains(String)
        /// The whole of one of the claim's values.
        case equals(String)
    }
}

extension GroupConfiguration {
    private static let placeholder = "<group>"

    /// A group that nobody belongs to by rule and that gives nothing.
    public init(name: GroupName) {
        self.init(name: name, rules: [], match: .all, isDisabled: false, defaultBudget: nil, modelBudgets: [:])
    }

    /// Reads `groups`; `default` is always there, without budgets if the file does not name it.
    static func readAll(_ root: ConfigurationSection, models: [ModelName]) -> [GroupName: GroupConfiguration] {
        var groups = [GroupName.everyone: GroupConfiguration(name: .everyone)]
        let section = root.section("groups")
        for key in section.remainingKeys {
            let name = GroupName(key)
            if key.allSatisfy(\.isWhitespace) || key.utf8.count > 100 {
                section.complain(key, "a group's name has 1 to 100 bytes")
            }
            groups[name] = section.namedSection(key, as: placeholder).map { read(name, $0, models: models) }
        }
        return groups
    }

    private static func read(
        _ name: GroupName, _ section: ConfigurationSection, models: [ModelName]
    ) -> GroupConfiguration {
        var group = GroupConfiguration(
            name: name,
            rules: section.sections("rules").compactMap { GroupRule($0) },
            match: section.read("match", .oneOf, default: .all),
            isDisabled: section.read("disabled", .flag, default: false),
            defaultBudget: section.optionalSection("default").flatMap { Budget($0) },
            modelBudgets: [:],
            sharedBudget: section.optionalSection("shared").flatMap { Budget($0) })
        if name == .everyone, section.has("rules") {
            section.complain("rules", "everyone is in “default”, so it has no rules")
        }
        group.readModelBudgets(section.optionalSection("models"), beside: section, models: models)
        return group
    }

    /// A model's budget stands under `models`, or beside the keywords under the model's name.
    private mutating func readModelBudgets(
        _ nested: ConfigurationSection?, beside section: ConfigurationSection, models: [ModelName]
    ) {
        let names = models.map(\.rawValue)
        for holder in [section, nested].compactMap({ $0 }) {
            for key in holder.remainingKeys where names.contains(key) {
                guard let entry = holder.namedSection(key, as: "<model>") else { continue }
                if modelBudgets[ModelName(key)] != nil { holder.complain(key, "the model has another budget here") }
                modelBudgets[ModelName(key)] = Budget(entry)
            }
            holder.finish(suggesting: names, otherwise: "neither a key nor the name of a model")
        }
    }
}

extension GroupRule {
    /// Nothing if a problem was reported.
    init?(_ section: ConfigurationSection) {
        let field = section.require("field", ScalarFormat<ClaimField>.oneOf)
        let contains = section.read("contains", .nonEmptyText)
        let equals = section.read("equals", .nonEmptyText)
        let matchers = ["contains", "equals"].filter(section.has)
        section.finish()
        if matchers.count != 1 {
            section.complain(
                matchers.isEmpty
                    ? "a rule needs “contains” or “equals”, with a text that is not empty"
                    : "a rule has “contains” or “equals”, not both")
        }
        guard let field, matchers.count == 1,
            let matcher = contains.map(Matcher.contains) ?? equals.map(Matcher.equals)
        else { return nil }
        self.init(field: field, matcher: matcher)
    }
}
