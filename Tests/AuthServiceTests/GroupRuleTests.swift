import SharedProtocol
import Testing

@testable import auth_service

/// Who belongs to a group by its rules, and in which groups somebody is.
struct GroupRuleTests {
    private static let claims: Claims = [
        "affiliation": ["staff@illinois.edu", "member@illinois.edu"], "idp": ["urn:mace:incommon:uiuc.edu"],
        "member_of": ["cn=chem,ou=groups"],
    ]

    private static let cases: [(rules: String, all: Bool, any: Bool)] = [
        ("", false, false),
        ("{field: affiliation, equals: staff@illinois.edu}", true, true),
        // The second value of a claim is as good as the first.
        ("{field: affiliation, equals: member@illinois.edu}", true, true),
        // Whole values: not a part of one, not two that follow each other, not another letter case.
        ("{field: affiliation, equals: staff@illinois}", false, false),
        ("{field: affiliation, equals: 'staff@illinois.edu;member@illinois.edu'}", false, false),
        ("{field: affiliation, equals: Staff@illinois.edu}", false, false),
        // A part of one value, but not of two.
        ("{field: affiliation, contains: '@illinois'}", true, true),
        ("{field: affiliation, contains: edumember}", false, false),
        ("{field: affiliation, contains: staff@illinois.edu member}", false, false),
        // Another claim's value, and a claim that the provider did not send.
        ("{field: idp, equals: staff@illinois.edu}", false, false),
        ("{field: ou, contains: chem}", false, false),
        // A list of which half matches.
        ("{field: affiliation, contains: staff@illinois.edu}, {field: idp, equals: 'urn:other'}", false, true),
        ("{field: ou, equals: x}, {field: member_of, contains: cn=chem}", false, true),
        ("{field: ou, equals: x}, {field: idp, equals: y}", false, false),
        (
            "{field: affiliation, contains: staff}, {field: idp, equals: 'urn:mace:incommon:uiuc.edu'}", true, true
        ),
    ]

    @Test(arguments: cases) func rulesMatch(_ rules: String, _ all: Bool, _ any: Bool) throws {
        let groups = try groups("all: {rules: [\(rules)]}", "any: {match: any, rules: [\(rules)]}")
        #expect(groups["all"]?.matches(Self.claims) == all)
        #expect(groups["any"]?.matches(Self.claims) == any)
        #expect(groups["any"]?.matches([:]) == false)
    }

    private func groups(_ groups: String...) throws -> [GroupName: GroupConfiguration] {
        let text = groups.map { "  \($0)\n" }.joined()
        return try AuthFixture.load("\(AuthFixture.withDevUser)groups:\n\(text)").groups
    }

    @Test func membershipsSayWhyAndWhetherTheyCount() throws {
        let staff = "rules: [{field: affiliation, contains: staff}]"
        let groups = try groups(
            "rule: {\(staff)}", "off: {\(staff), disabled: true}", "both: {\(staff)}", "hand: {}",
            "hand-off: {disabled: true}", "others: {rules: [{field: ou, equals: x}]}")
        let byHand = ["both", "hand", "hand-off", "panel", "gone"]
            .map { HandMembership(group: GroupName($0), isEnabledPanelGroup: $0 == "panel") }
        let memberships = Memberships(Self.claims, byHand: byHand, in: groups)
        #expect(memberships.counting.map(\.rawValue) == ["default", "both", "hand", "panel", "rule"])
        let all = memberships.all.map { "\($0.group)\($0.isByRule ? "+rule" : "")\($0.isByHand ? "+hand" : "")" }
        #expect(
            all == [
                "both+rule+hand", "gone+hand", "hand+hand", "hand-off+hand", "off+rule", "panel+hand", "rule+rule",
            ])
    }

    @Test func whoeverNothingIsKnownOfIsInDefaultOnly() throws {
        let memberships = Memberships([:], byHand: [], in: try groups("lab: {rules: []}"))
        #expect(memberships.counting == [.everyone])
        #expect(memberships.all.isEmpty)
    }
}
