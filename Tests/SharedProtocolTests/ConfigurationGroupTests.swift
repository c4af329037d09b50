import Testing

@testable import SharedProtocol

/// Groups and budgets. Each text begins at line 6 of the file, after one model `gpt-4o`, which takes lines 6 to 9.
@Suite struct ConfigurationGroupTests {
    private let model = "models:\n  - name: gpt-4o\n    endpoints:\n      - url: http://h/v1\n"

    private func group(_ lines: String) throws -> GroupConfiguration {
        try #require(try loadLeast(and: model + "groups:\n  staff:\n" + lines).groups[GroupName("staff")])
    }

    /// Without the name of the file.
    private func groupProblems(_ lines: String, name: String = "staff") -> [String] {
        problemsOfLeast(and: model + "groups:\n  \(name):\n" + lines)
            .map { $0.replacing("config.yaml:", with: "") }
    }

    @Test func budgetTakesItsDefaults() throws {
        let group = try group("    default:\n      max: 1_000_000\n")
        #expect(group.defaultBudget == Budget(max: .tokens(1_000_000), refresh: 0, starting: 1_000_000))
        #expect(group.rules.isEmpty)
        #expect(group.match == .all)
        #expect(!group.isDisabled)
        #expect(group.sharedBudget == nil)
    }

    @Test func everyoneIsAGroupEvenWhenTheFileNamesNone() throws {
        let everyone = try #require(try load(leastConfiguration).groups[.everyone])
        #expect(everyone.defaultBudget == nil)
        #expect(try load(leastConfiguration).warnings.contains { $0.hasPrefix("groups: ") })
    }

    @Test(arguments: ["unlimited", "-2"])
    func unlimitedHasTwoSpellings(max: String) throws {
        #expect(
            try group("    default:\n      max: \(max)\n").defaultBudget
                == Budget(max: .unlimited, refresh: 0, starting: 0))
    }

    @Test func noAccessIsABudgetOfItsOwn() throws {
        let none = try group("    default:\n      max: 0\n      refresh: 0\n      starting: 0\n").defaultBudget
        #expect(none == Budget(max: .tokens(0), refresh: 0, starting: 0))
    }

    @Test func maxIsRequired() {
        #expect(
            groupProblems("    default:\n      refresh: 5\n") == [
                "12: groups.staff.default.max: required: a whole number of tokens from 0 to 1000000000000000, or "
                    + "“unlimited”"
            ])
    }

    @Test(arguments: [
        ("max: 1000000000000001", "13: groups.staff.default.max: "), ("max: -1", "13: groups.staff.default.max: "),
        ("max: 1.5", "13: groups.staff.default.max: "), ("max: lots", "13: groups.staff.default.max: "),
        ("max: 99999999999999999999", "13: groups.staff.default.max: "),
        ("max: 5\n      refresh: 1000000000001", "14: groups.staff.default.refresh: "),
        ("max: 5\n      refresh: -2", "14: groups.staff.default.refresh: "),
        ("max: 5\n      starting: 6", "14: groups.staff.default.starting: "),
        ("max: 5\n      starting: -2", "14: groups.staff.default.starting: "),
        ("max: 5\n      begin: 6", "14: groups.staff.default.begin: unknown key"),
    ])
    func wrongBudgetNamesItsKey(lines: String, problem: String) {
        let found = groupProblems("    default:\n      \(lines)\n")
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix(problem) == true)
    }

    @Test func largestBudgetIsAllowed() throws {
        let most = try group("    default:\n      max: 1000000000000000\n      refresh: 1000000000000\n").defaultBudget
        #expect(
            most == Budget(max: .tokens(Budget.mostTokens), refresh: Budget.mostRefresh, starting: Budget.mostTokens))
    }

    @Test(arguments: ["    gpt-4o:\n      max: 7\n", "    models:\n      gpt-4o:\n        max: 7\n"])
    func modelBudgetStandsBesideOrUnderModels(lines: String) throws {
        let budget = Budget(max: .tokens(7), refresh: 0, starting: 7)
        #expect(try group(lines).modelBudgets == [ModelName("gpt-4o"): budget])
    }

    @Test func modelBudgetInBothPlacesIsAnError() {
        #expect(
            groupProblems("    gpt-4o:\n      max: 7\n    models:\n      gpt-4o:\n        max: 7\n") == [
                "15: groups.staff.models.gpt-4o: the model has another budget here"
            ])
    }

    @Test func budgetForAModelThatDoesNotExistIsAnError() {
        #expect(
            groupProblems("    gpt-4:\n      max: 7\n    models:\n      claude:\n        max: 7\n") == [
                "12: groups.staff.gpt-4: neither a key nor the name of a model; did you mean “gpt-4o”?",
                "15: groups.staff.models.claude: neither a key nor the name of a model",
            ])
    }

    @Test func misspeltKeyOfAGroupIsAnErrorThatNamesTheKey() {
        #expect(
            groupProblems("    defualt:\n      max: 7\n") == [
                "12: groups.staff.defualt: neither a key nor the name of a model; did you mean “default”?"
            ])
    }

    @Test func rulesAreRead() throws {
        let group = try group(
            "    match: any\n    disabled: true\n    rules:\n      - field: affiliation\n        contains: staff@\n"
                + "      - field: member_of\n        equals: cn=x\n    shared:\n      max: 9\n")
        #expect(
            group.rules == [
                GroupRule(field: .affiliation, matcher: .contains("staff@")),
                GroupRule(field: .memberOf, matcher: .equals("cn=x")),
            ])
        #expect(group.match == .any)
        #expect(group.isDisabled)
        #expect(group.sharedBudget?.max == .tokens(9))
    }

    /// A rule without a matcher that is understood must never match everyone.
    @Test func misspeltKeyOfARuleIsAnError() {
        #expect(
            groupProblems("    rules:\n      - field: ou\n        equal: x\n") == [
                "13: groups.staff.rules[0]: a rule needs “contains” or “equals”, with a text that is not empty",
                "14: groups.staff.rules[0].equal: unknown key; did you mean “equals”?",
            ])
    }

    @Test(arguments: [
        "", "\n        contains: \"\"", "\n        equals:", "\n        contains: \"\"\n        equals: \"\"",
    ])
    func ruleWithoutAMatcherIsAnError(matcher: String) {
        #expect(
            groupProblems("    rules:\n      - field: ou\(matcher)\n") == [
                "13: groups.staff.rules[0]: a rule needs “contains” or “equals”, with a text that is not empty"
            ])
    }

    @Test func blankMatcherIsAnError() {
        let found = groupProblems("    rules:\n      - field: ou\n        contains: \" \"\n")
        #expect(found.first?.hasPrefix("14: groups.staff.rules[0].contains: ") == true)
    }

    @Test func ruleWithTwoMatchersIsAnError() {
        #expect(
            groupProblems("    rules:\n      - field: ou\n        contains: a\n        equals: b\n") == [
                "13: groups.staff.rules[0]: a rule has “contains” or “equals”, not both"
            ])
    }

    @Test func ruleNeedsAFieldThatExists() {
        #expect(
            groupProblems("    rules:\n      - contains: a\n      - field: eppn\n        equals: b\n") == [
                "13: groups.staff.rules[0].field: required: one of affiliation, member_of, idp, ou",
                "14: groups.staff.rules[1].field: expected one of affiliation, member_of, idp, ou, found “eppn”",
            ])
    }

    @Test func everyonesGroupHasNoRules() {
        #expect(
            groupProblems("    rules:\n      - field: ou\n        equals: a\n", name: "default") == [
                "12: groups.default.rules: everyone is in “default”, so it has no rules"
            ])
    }

    @Test func matchIsAllOrAny() {
        #expect(
            groupProblems("    match: some\n") == ["12: groups.staff.match: expected one of all, any, found “some”"])
    }
}
