/// What a request is answered with, decided before the first byte leaves.
struct DummyReply {
    /// One per choice; those of one prompt are alike.
    var choices: [Choice]
    /// Nil: not reported.
    var usage: Usage?

    struct Choice {
        var tokens: [Token]
        var finishReason: FinishReason
        /// The tool that is called; absent for text.
        var toolName: String?
    }

    struct Token {
        var kind: Kind
        var text: Substring
        enum Kind { case text, reasoning, toolArguments }
    }

    enum FinishReason: String {
        case stop, length
        case toolCalls = "tool_calls"
    }

    struct Usage: Equatable {
        var prompt: Int
        var completion: Int
        var reasoning = 0
    }
}

extension DummyReply {
    init(to request: DummyRequest, as behaviour: Behaviour) {
        choices = request.quotes.flatMap { quote in
            let choice = Self.choice(quoting: quote, for: request, as: behaviour)
            return Array(repeating: choice, count: request.choicesPerPrompt)
        }
        usage = Self.usage(of: choices, for: request, as: behaviour)
    }

    private static func choice(quoting quote: String, for request: DummyRequest, as behaviour: Behaviour) -> Choice {
        let all = tokens(quoting: quote, as: behaviour)
        let kept = all.prefix(request.limit ?? all.count)
        let toolName = behaviour.content == .toolCall ? request.toolName ?? "echo" : nil
        let reason: FinishReason = kept.count < all.count ? .length : toolName == nil ? .stop : .toolCalls
        return Choice(tokens: Array(kept), finishReason: reason, toolName: toolName)
    }

    private static func tokens(quoting quote: String, as behaviour: Behaviour) -> [Token] {
        let answer = Words.pieces(of: answer(quoting: quote))
        if let count = behaviour.tokens {
            return (0..<count).map { Token(kind: .text, text: answer[$0 % answer.count]) }
        }
        let text = answer.map { Token(kind: .text, text: $0) }
        switch behaviour.content {
        case .text: return text
        case .reasoning: return Words.pieces(of: thought).map { Token(kind: .reasoning, text: $0) } + text
        case .toolCall:
            return Words.pieces(of: toolArguments(quoting: quote)).map { Token(kind: .toolArguments, text: $0) }
        }
    }

    private static func usage(of choices: [Choice], for request: DummyRequest, as behaviour: Behaviour) -> Usage? {
        let sent = choices.reduce(0) { $0 + $1.tokens.count }
        switch behaviour.usage {
        case .none: return nil
        case .words:
            let reasoning = choices.reduce(0) { $0 + $1.tokens.count { $0.kind == .reasoning } }
            return Usage(prompt: request.promptWords, completion: sent, reasoning: reasoning)
        case .bound(let factor):
            let completion = request.limit.map { $0 * choices.count } ?? sent
            return Usage(prompt: request.promptBound * factor, completion: completion * factor)
        }
    }
}

extension DummyReply {
    /// Markdown with what a chat page has to cope with: a quote, an inline formula and a display formula.
    private static func answer(quoting quote: String) -> String {
        let quoted = quote.split(separator: "\n", omittingEmptySubsequences: false).map { "> " + $0 }
        return quoted.joined(separator: "\n") + """


            One formula stands in the line, \\(e^{i\\pi} + 1 = 0\\), and one by itself:

            $$\\sum_{k=1}^{n} k = \\frac{n (n + 1)}{2}$$
            """
    }

    private static let thought = "The last message is to be quoted, and two formulas are to follow."

    private static func toolArguments(quoting quote: String) -> String { #"{"text": \#(DummyRendering.json(quote))}"# }
}
