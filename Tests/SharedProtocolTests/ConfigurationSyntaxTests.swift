import Testing

@testable import SharedProtocol

/// What holds for every key: problems name file, line and key, and all of them are reported at once.
@Suite struct ConfigurationSyntaxTests {
    @Test func leastConfigurationLoads() throws {
        _ = try load(leastConfiguration)
        #expect(problems(leastConfiguration) == [])
    }

    @Test func unknownKeyNamesTheOneThatWasMeant() {
        #expect(
            problemsOfLeast(and: "routing:\n  conect_timeout: 3\n") == [
                "config.yaml:7: routing.conect_timeout: unknown key; did you mean “connect_timeout”?"
            ])
    }

    @Test func unknownKeyThatIsLikeNoOtherIsStillAnError() {
        #expect(problemsOfLeast(and: "zebra: 1\n") == ["config.yaml:6: zebra: unknown key"])
    }

    @Test func everyProblemIsReportedInTheFilesOrder() {
        #expect(
            problemsOfLeast(and: "metrics: 5\nchat:\n  remove: burn\nusage:\n  retention_days: -1\n") == [
                "config.yaml:6: metrics: expected a section of “key: value” lines, found a plain value",
                "config.yaml:8: chat.remove: expected one of hide, delete, found “burn”",
                "config.yaml:10: usage.retention_days: expected a whole number from 1 to 36500, found “-1”",
            ])
    }

    @Test func listWhereAValueBelongsIsAWrongType() {
        #expect(
            problemsOfLeast(and: "api:\n  max_keys_per_user: [1]\n") == [
                "config.yaml:7: api.max_keys_per_user: expected a whole number from 0 to 10000, found a list"
            ])
    }

    @Test func valueWhereAListBelongsIsAWrongType() {
        #expect(
            problemsOfLeast(and: "admins: a@b.example\nmodels: none\n") == [
                "config.yaml:6: admins: expected a list, found a plain value",
                "config.yaml:7: models: expected a list of sections, found a plain value",
            ])
    }

    @Test func wrongElementOfAListIsNamed() {
        #expect(
            problemsOfLeast(and: "admins:\n  - a@b.example\n  - nobody\nmodels:\n  - llama\n") == [
                "config.yaml:8: admins[1]: expected an e-mail address",
                "config.yaml:10: models[0]: expected a section of “key: value” lines, found a plain value",
            ])
    }

    @Test func quotedNumberAndQuotedFlagAreWrongTypes() {
        #expect(
            problemsOfLeast(and: "api:\n  max_keys_per_user: \"5\"\nmodels: []\n").first
                == "config.yaml:7: api.max_keys_per_user: expected a whole number from 0 to 10000, found “5”")
        #expect(
            problems(leastConfiguration.replacing("debug: true", with: "debug: \"true\"")).first
                == "config.yaml:4: app.debug: expected true or false, found “true”")
    }

    @Test func keyThatAppearsTwiceIsAnError() {
        #expect(
            problemsOfLeast(and: "chat:\n  remove: hide\n  remove: delete\n") == [
                "config.yaml:7: remove: the key appears more than once"
            ])
    }

    @Test func brokenYAMLNamesItsLine() {
        let found = problemsOfLeast(and: "chat:\n  remove: [hide\nusage: {}\n")
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("config.yaml:8: not YAML: ") == true)
    }

    @Test func brokenYAMLDoesNotQuoteTheFile() {
        let found = problems("app:\n  secret_key: \"hunter2\n")
        #expect(found.count == 1)
        #expect(found.joined().contains("hunter2") == false)
    }

    @Test(arguments: ["", "\n\n", "# nothing\n"])
    func emptyFileIsAnError(text: String) {
        #expect(problems(text) == ["config.yaml: the file is empty"])
    }

    @Test func fileThatIsNoMappingIsAnError() {
        #expect(problems("- a\n- b\n") == ["config.yaml:1: expected “key: value” lines"])
    }

    @Test func missingFileIsAnError() {
        #expect {
            try ConfigurationLoader.load(path: "/nowhere/config.yaml", environment: [:])
        } throws: {
            "\($0)" == "/nowhere/config.yaml: cannot be opened: No such file or directory"
        }
    }

    @Test func emptyValueIsAsIfTheKeyWereAbsent() throws {
        let configuration = try loadLeast(and: "metrics:\n  token:\nchat:\nusage:\n  retention_days: null\n")
        #expect(configuration.metrics.token == nil)
        #expect(configuration.chat.removal == .hide)
        #expect(configuration.usage.retentionDays == nil)
    }

    @Test(arguments: [
        ("conect", "connect", 1), ("teh", "the", 1), ("", "abc", 3), ("same", "same", 0), ("kitten", "sitting", 3),
    ])
    func spellingCountsEdits(first: String, second: String, edits: Int) {
        #expect(Spelling.distance(first, second) == edits)
        #expect(Spelling.distance(second, first) == edits)
    }
}
