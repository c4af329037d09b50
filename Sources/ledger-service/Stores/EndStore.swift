import FoundationEssentials
import SharedProtocol

/// How requests ended that have no usage event, as the `ended` table has it.
enum EndStore {
    static func encode(_ end: EndedRequests.End) throws -> String {
        String(decoding: try JSONEncoder().encode(end), as: UTF8.self)
    }

    static func decode(_ text: String) throws -> EndedRequests.End {
        try JSONDecoder().decode(EndedRequests.End.self, from: Data(text.utf8))
    }
}
