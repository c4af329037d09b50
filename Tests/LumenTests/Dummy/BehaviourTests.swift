import Testing

@testable import lumen

@Test func everyListedExampleIsAModel() {
    for row in Behaviour.table { #expect(Behaviour(model: row.example) != nil, "\(row.example)") }
}

@Test func namesThatAreNotInTheTableAreNoModels() {
    for name in ["", "gpt", "gap", "gap-", "gap-x", "gap--1", "gap-1-2", "dummy+", "dummy+nope", "gap-86400001"] {
        #expect(Behaviour(model: name) == nil, "\(name)")
    }
}

@Test func namesJoinedByPlusAddUp() throws {
    let behaviour = try #require(Behaviour(model: "tokens-10-at-4+no-usage+stall-after-3"))
    #expect(behaviour.tokens == 10)
    #expect(behaviour.gap == .milliseconds(250))
    #expect(behaviour.usage == .none)
    #expect(behaviour.breakOff == Behaviour.BreakOff(tokens: 3, way: .stall))
}

@Test func theHelpNamesEveryPattern() {
    for row in Behaviour.table { #expect(Behaviour.help.contains(row.pattern)) }
}

@Test func wordsJoinedAreTheTextAgain() {
    for text in ["", "one", " one", "one ", "a b\n\nc", "> a\n> b\t\tc  ", "é ü 漢字 🙂 x"] {
        let pieces = Words.pieces(of: text)
        #expect(pieces.joined() == text)
        #expect(pieces.allSatisfy { !$0.isEmpty })
    }
    #expect(Words.pieces(of: "a b\n\nc") == ["a ", "b\n\n", "c"])
    #expect(Words.count(in: " a b\n\nc ") == 3)
}
