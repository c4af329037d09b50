import NIOCore
import SharedProtocol

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The chat completion request that a conversation amounts to.
struct ChatPrompt: Encodable {
    var model: ModelName
    var messages: [Line]
    var stream = true

    struct Line: Encodable, Hashable {
        var role: Message.Role
        var content: String
    }

    /// Messages that are looked at, counted from the end.
    static let maximumMessages = 400
    /// UTF-8 bytes of earlier messages that are sent along; the oldest are left out first.
    static let maximumHistoryBytes = 2 * 1_024 * 1_024

    /// - Parameter history: oldest first, ending with the question and, perhaps, its still empty answer. A question whose
    ///   answer never got a word is left out together with it: many backends refuse two questions in a row.
    init(model: ModelName, history: [Message]) {
        self.model = model
        var lines: [Line] = []
        for message in history {
            if message.role == .user, lines.last?.role == .user { lines.removeLast() }
            guard !message.text.isEmpty else { continue }
            lines.append(Line(role: message.role, content: message.text))
        }
        messages = Self.latest(lines)
    }

    func encoded() throws(AnswerRefusal) -> ByteBuffer {
        do {
            return ByteBuffer(bytes: try JSONEncoder().encode(self))
        } catch {
            throw AnswerRefusal(message: "The conversation could not be put into a request.")
        }
    }

    /// As many of the last lines as fit, beginning with a question; the last one always.
    private static func latest(_ lines: [Line]) -> [Line] {
        var bytes = 0
        let kept = lines.reversed().prefix { line in
            bytes += line.content.utf8.count
            return bytes <= maximumHistoryBytes
        }
        let latest = Array(kept.reversed().drop { $0.role == .assistant })
        return latest.isEmpty ? Array(lines.suffix(1)) : latest
    }
}
