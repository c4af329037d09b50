import SharedProtocol

/// How much of an answer a follower has: UTF-8 bytes of its text and of its reasoning. Travels as the event's id, so that a
/// browser that reconnects by itself goes on where it was.
struct AnswerCursor: Sendable, Hashable, Codable, CustomStringConvertible {
    var text: Int
    var reasoning: Int

    static let start = AnswerCursor(text: 0, reasoning: 0)

    init(text: Int, reasoning: Int) {
        self.text = text
        self.reasoning = reasoning
    }

    /// `12-0`; nil for anything else.
    init?(_ description: some StringProtocol) {
        let parts = description.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let text = Int(parts[0]), let reasoning = Int(parts[1]), text >= 0, reasoning >= 0
        else { return nil }
        self.init(text: text, reasoning: reasoning)
    }

    var description: String { "\(text)-\(reasoning)" }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let cursor = AnswerCursor(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a cursor")
        }
        self = cursor
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
