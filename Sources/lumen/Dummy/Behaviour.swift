/// How the echo backend answers, told by the model's name. The table below is the only place that names are listed.
struct Behaviour: Equatable {
    /// Answered instead of a completion.
    var refusal: Refusal?
    /// Nothing at all is sent before.
    var firstByteDelay = Duration.zero
    /// From one token to the next.
    var gap = Duration.zero
    /// Where a reply breaks off, and how.
    var breakOff: BreakOff?
    /// Length of the reply in tokens, in place of the quoted message.
    var tokens: Int?
    var content = Content.text
    var usage = UsageReport.words
    /// Said to be HTML.
    var isWrongType = false
    /// Ends in the middle of a JSON value.
    var isGarbage = false

    struct Refusal: Equatable {
        var status: Int
        var retryAfterSeconds: Int?
    }

    struct BreakOff: Equatable {
        /// Of each choice; 0: not even the head of the reply is sent.
        var tokens: Int
        var way: Way
        enum Way { case stall, drop }
    }

    enum Content { case text, reasoning, toolCall }

    enum UsageReport: Equatable {
        /// The words that were read and sent.
        case words
        case none
        /// A multiple of the most that Lumen reserves for the request.
        case bound(times: Int)
    }
}

extension Behaviour {
    struct Row: Sendable {
        /// Capital letters stand for a number.
        let pattern: String
        /// A name that `/v1/models` lists.
        let example: String
        let explanation: String
        let apply: @Sendable (inout Behaviour, [Int]) -> Void
    }

    /// Longest reply that a name can ask for, in tokens.
    private static let tokenLimit = 1_000_000

    static let table: [Row] = [
        Row(pattern: "dummy", example: "dummy", explanation: "behaves well") { _, _ in },
        Row(pattern: "slow-first-byte-MS", example: "slow-first-byte-2000", explanation: "sends nothing for MS ms") {
            $0.firstByteDelay = .milliseconds($1[0])
        },
        Row(pattern: "gap-MS", example: "gap-200", explanation: "one token every MS ms") {
            $0.gap = .milliseconds($1[0])
        },
        Row(pattern: "stall-after-N", example: "stall-after-5", explanation: "sends nothing more after N tokens") {
            $0.breakOff = BreakOff(tokens: $1[0], way: .stall)
        },
        Row(pattern: "drop-after-N", example: "drop-after-5", explanation: "closes the connection after N tokens") {
            $0.breakOff = BreakOff(tokens: $1[0], way: .drop)
        },
        Row(pattern: "error-STATUS", example: "error-500", explanation: "answers with this status, 400 to 599") {
            $0.refusal = Refusal(status: min(max($1[0], 400), 599))
        },
        Row(pattern: "rate-limited-S", example: "rate-limited-7", explanation: "answers 429 with Retry-After: S") {
            $0.refusal = Refusal(status: 429, retryAfterSeconds: $1[0])
        },
        Row(pattern: "no-usage", example: "no-usage", explanation: "never reports usage") { behaviour, _ in
            behaviour.usage = .none
        },
        Row(pattern: "wrong-type", example: "wrong-type", explanation: "calls its reply text/html") { behaviour, _ in
            behaviour.isWrongType = true
        },
        Row(pattern: "garbage", example: "garbage", explanation: "ends in the middle of a JSON value") { behaviour, _ in
            behaviour.isGarbage = true
        },
        Row(pattern: "tokens-N-at-R", example: "tokens-100-at-50", explanation: "N tokens, R a second; 0: at once") {
            $0.tokens = min($1[0], tokenLimit)
            $0.gap = $1[1] == 0 ? .zero : .seconds(1) / $1[1]
        },
        Row(pattern: "exact", example: "exact", explanation: "reports as much usage as Lumen reserves") {
            behaviour, _ in
            behaviour.usage = .bound(times: 1)
        },
        Row(pattern: "greedy-FACTOR", example: "greedy-3", explanation: "reports FACTOR times that usage") {
            $0.usage = .bound(times: $1[0])
        },
        Row(pattern: "reasoning", example: "reasoning", explanation: "thinks aloud first") { behaviour, _ in
            behaviour.content = .reasoning
        },
        Row(pattern: "tools", example: "tools", explanation: "calls the first tool") { behaviour, _ in
            behaviour.content = .toolCall
        },
    ]

    /// Nil: no such model.
    init?(model: String) {
        self.init()
        for name in model.split(separator: "+", omittingEmptySubsequences: false) {
            guard Self.table.contains(where: { $0.matches(name, changing: &self) }) else { return nil }
        }
    }

    static var help: String {
        table.map { row in
            "  " + row.pattern + String(repeating: " ", count: max(1, 20 - row.pattern.count)) + row.explanation
        }.joined(separator: "\n")
    }
}

extension Behaviour.Row {
    /// Largest number in a name: a day in milliseconds.
    private static let numberLimit = 86_400_000

    fileprivate func matches(_ name: Substring, changing behaviour: inout Behaviour) -> Bool {
        let words = name.split(separator: "-", omittingEmptySubsequences: false)
        let wanted = pattern.split(separator: "-")
        guard words.count == wanted.count else { return false }
        var numbers: [Int] = []
        for (word, wanted) in zip(words, wanted) {
            if wanted.allSatisfy(\.isUppercase) {
                guard let number = Int(word), (0...Self.numberLimit).contains(number) else { return false }
                numbers.append(number)
            } else if word != wanted {
                return false
            }
        }
        apply(&behaviour, numbers)
        return true
    }
}
