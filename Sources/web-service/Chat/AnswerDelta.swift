import NIOCore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What one `chat.completion.chunk` adds to an answer. Every field of a backend's event is optional to us.
struct AnswerDelta: Hashable {
    var text = ""
    var reasoning = ""

    init() {}

    /// - Parameter event: raw JSON; an event without text for the first choice gives an empty delta.
    init(event: ByteBuffer) {
        guard let chunk = try? JSONDecoder().decode(Chunk.self, from: Data(event.readableBytesView)),
            let delta = chunk.choices?.first(where: { ($0.index ?? 0) == 0 })?.delta
        else { return }
        text = delta.content ?? ""
        // Two names are in use for the same thing.
        reasoning = delta.reasoning_content ?? delta.reasoning ?? ""
    }

    mutating func append(_ other: AnswerDelta) {
        text += other.text
        reasoning += other.reasoning
    }

    private struct Chunk: Decodable {
        var choices: [Choice]?
    }

    private struct Choice: Decodable {
        var index: Int?
        var delta: Delta?
    }

    private struct Delta: Decodable {
        var content: String?
        var reasoning_content: String?
        var reasoning: String?
    }
}
