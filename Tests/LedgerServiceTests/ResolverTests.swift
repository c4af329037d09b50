import Testing

@testable import SharedProtocol
@testable import ledger_service

/// Accounts are members of `default`, `a` and `b` unless the row says otherwise; the model is `m`. Groups are the file's,
/// but those in `panel`.
struct ResolverTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var groups: [GroupConfiguration]
        var panel: [GroupConfiguration]
        var members = ["default", "b", "a"]
        var overrides: [String: Budget]
        var expected: BudgetEntry?

        init(
            _ description: String, _ groups: [GroupConfiguration], panel: [GroupConfiguration] = [],
            members: [String]? = nil, overrides: [String: Budget] = [:], _ expected: BudgetEntry?
        ) {
            testDescription = description
            self.groups = groups
            self.panel = panel
            self.overrides = overrides
            self.members = members ?? ["default", "b", "a"]
            self.expected = expected
        }
    }

    static func entry(_ pool: String, _ group: String?, _ budget: Budget) -> BudgetEntry {
        BudgetEntry(pool: PoolName(pool), group: group.map { GroupName($0) }, budget: budget)
    }

    static let rows = [
        Row("nobody has a budget", [.test()], nil),
        Row("the default applies to every model", [.test("default", .of(10))], entry("default", "default", .of(10))),
        Row(
            "an entry for the model comes before any default, also a lesser one",
            [.test("default", .unlimited), .test("a", models: ["m": .of(5)])], entry("m", "a", .of(5))),
        Row(
            "an entry for another model does not count", [.test("default", .of(10), models: ["other": .of(99)])],
            entry("default", "default", .of(10))),
        Row(
            "the highest maximum wins", [.test("default", .of(10)), .test("a", .of(30)), .test("b", .of(20))],
            entry("default", "a", .of(30))),
        Row(
            "unlimited beats any maximum", [.test("a", .of(Budget.mostTokens)), .test("b", .unlimited)],
            entry("default", "b", .unlimited)),
        Row(
            "of equal maxima the higher refresh wins",
            [.test("a", .of(10, refresh: 1)), .test("b", .of(10, refresh: 2))],
            entry("default", "b", .of(10, refresh: 2))),
        Row(
            "of equal budgets the first group by name wins", [.test("b", .of(10)), .test("a", .of(10))],
            entry("default", "a", .of(10))),
        Row(
            "an entry of 0 is no access and does not fall through",
            [.test("default", .of(10)), .test("a", models: ["m": .of(0)])], nil),
        Row(
            "one that is not 0 saves it",
            [.test("default", .of(10), models: ["m": .of(0)]), .test("a", models: ["m": .of(1)])],
            entry("m", "a", .of(1))),
        Row("a default of 0 is no access", [.test("default", .of(0))], nil),
        Row(
            "a disabled group gives nothing",
            [.test("default", .of(10)), .test("a", .of(30), models: ["m": .of(40)], isDisabled: true)],
            entry("default", "default", .of(10))),
        Row(
            "a disabled group takes nothing either",
            [.test("default", .of(10)), .test("a", models: ["m": .of(0)], isDisabled: true)],
            entry("default", "default", .of(10))),
        Row(
            "a group that one is not in gives nothing", [.test("default", .of(10)), .test("c", .of(30))],
            entry("default", "default", .of(10))),
        Row(
            "a group that is not configured gives nothing", [.test("default", .of(10))], members: ["default", "gone"],
            entry("default", "default", .of(10))),
        Row("who is in no group has nothing", [.test("default", .of(10))], members: [], nil),
        Row(
            "an override for the model comes before everything",
            [.test("default", .unlimited, models: ["m": .unlimited])], overrides: ["m": .of(3), "default": .of(9)],
            entry("m", nil, .of(3))),
        Row(
            "a default override comes before a group's entry for the model",
            [.test("default", .of(10), models: ["m": .of(99)])], overrides: ["default": .of(9)],
            entry("default", nil, .of(9))),
        Row(
            "an override for another model does not count", [.test("default", .of(10))], overrides: ["other": .of(9)],
            entry("default", "default", .of(10))),
        Row("an override of 0 is no access", [.test("default", .of(10))], overrides: ["m": .of(0)], nil),
        Row(
            "an override needs no group", [], members: [], overrides: ["default": .of(4)], entry("default", nil, .of(4))
        ),
        Row(
            "a panel's group counts as a file's", [.test("default", .of(10))], panel: [.test("a", .of(30))],
            entry("default", "a", .of(30))),
        Row(
            "the more generous of a file's and a panel's group wins", [.test("default", .of(40))],
            panel: [.test("a", .of(30))], entry("default", "default", .of(40))),
        Row(
            "a panel's entry for the model comes before a file's default", [.test("default", .unlimited)],
            panel: [.test("a", models: ["m": .of(5)])], entry("m", "a", .of(5))),
        Row(
            "of equal ones of both kinds the first by name wins", [.test("b", .of(10))],
            panel: [.test("a", .of(10))], entry("default", "a", .of(10))),
        Row(
            "a panel's entry of 0 is no access", [.test("default", .of(10))],
            panel: [.test("a", models: ["m": .of(0)])],
            nil),
        Row(
            "a panel's group that one is not in gives nothing", [.test("default", .of(10))],
            panel: [.test("c", .of(30))], entry("default", "default", .of(10))),
        Row(
            "the file's group of a name is all there is of it", [.test("a", .of(10))],
            panel: [.test("a", .of(30), models: ["m": .of(40)])], entry("default", "a", .of(10))),
        Row(
            "also when the file disables it", [.test("default", .of(10)), .test("a", isDisabled: true)],
            panel: [.test("a", .of(30))], entry("default", "default", .of(10))),
        Row(
            "an override comes before a panel's group", [], panel: [.test("a", .unlimited)],
            overrides: ["default": .of(4)], entry("default", nil, .of(4))),
    ]

    @Test(arguments: rows)
    func theFirstThatExistsAndTheMostGenerousOfThose(row: Row) {
        let budgets = Budgets.test(row.groups, panel: row.panel, overrides: row.overrides)
        #expect(Resolver.entry(for: .test(1, row.members), model: ModelName("m"), in: budgets) == row.expected)
        #expect(
            Resolver.entry(for: .test(1, row.members.reversed()), model: ModelName("m"), in: budgets) == row.expected)
    }

    func pools(
        _ groups: [GroupConfiguration], panel: [GroupConfiguration] = [], overrides: [String: Budget] = [:],
        cap: TokenCount? = nil
    ) -> [PoolKey]? {
        let budgets = Budgets.test(groups, panel: panel, overrides: overrides)
        return Resolver.access(
            for: .test(1, ["default", "a"]), model: ModelName("m"), key: KeyID(7), keyCap: cap, in: budgets)?
            .limits.map(\.pool)
    }

    @Test func aRequestMustFitTheSharedPoolOfTheChosenGroupAndTheKeysCap() {
        let own = PoolKey.user(UserID(1), .general)
        #expect(pools([.test("default", .of(10)), .test("a", shared: .of(99))]) == [own])
        #expect(
            pools([.test("default", .of(10)), .test("a", .of(20), shared: .of(99))]) == [own, .shared(GroupName("a"))])
        #expect(
            pools([.test("a", .of(20), shared: .of(99))], cap: 5) == [own, .shared(GroupName("a")), .cap(KeyID(7))])
        // An override is a limit of its own, and the group's does not count.
        #expect(pools([.test("a", .of(20), shared: .of(99))], overrides: ["default": .of(5)]) == [own])
        #expect(pools([.test("a", .of(20), shared: .of(0))]) == nil)
        let shared = [own, .shared(GroupName("a"))]
        #expect(pools([], panel: [.test("a", .of(20), shared: .of(99))]) == shared)
        #expect(pools([.test("a", .of(20))], panel: [.test("a", .of(20), shared: .of(99))]) == [own])
    }
}
