import NIOCore
import SharedProtocol

/// What the echo backend reads of a request: the last message, the limits, and how much there was to read.
struct DummyRequest {
    var model = ""
    /// Whatever the client wrote there, to tell its requests apart.
    var user: String?
    /// What each answer quotes: a chat's last message, or each prompt or input.
    var quotes: [String] = []
    /// Words of everything that was to be read; reported as prompt tokens.
    var promptWords = 0
    /// The most that Lumen reserves for a prompt of plain text: bytes of the JSON that the model reads and 8 per message.
    var promptBound = 0
    /// Most tokens of one choice.
    var limit: Int?
    /// Choices per prompt, `n`.
    var choicesPerPrompt = 1
    var isStream = false
    var wantsUsageEvent = false
    /// Of the first tool.
    var toolName: String?

    /// `n` is at most this, as with OpenAI.
    static let choiceLimit = 128

    var choices: Int { max(1, quotes.count) * choicesPerPrompt }

    /// Throws a sentence for the client.
    init(parsing body: ByteBuffer) throws(Invalid) {
        do {
            try body.withUnsafeReadableBytes { bytes throws(JSONScanError) in
                var scan = JSONScan(bytes)
                try scan.object { key, scan throws(JSONScanError) in
                    let start = scan.position
                    try read(key, &scan)
                    if Self.isRead(key) { promptBound += scan.position - start }
                }
                try scan.end()
            }
        } catch {
            throw Invalid(message: "The body is not a JSON object of the expected form.")
        }
        if model.isEmpty { throw Invalid(message: "model is missing.") }
        if quotes.isEmpty { throw Invalid(message: "messages, prompt or input is missing.") }
        if let limit, limit < 1 { throw Invalid(message: "The output limit must be at least 1.") }
        guard (1...Self.choiceLimit).contains(choicesPerPrompt) else {
            throw Invalid(message: "n must be 1 to \(Self.choiceLimit).")
        }
    }

    struct Invalid: Error { let message: String }
}

extension DummyRequest {
    private mutating func read(_ key: JSONString, _ scan: inout JSONScan) throws(JSONScanError) {
        if key == "model" {
            model = try scan.string().text
        } else if key == "user" {
            if try scan.kind() == .string { user = try scan.string().text } else { try scan.skip() }
        } else if key == "messages" {
            try readMessages(&scan)
        } else if key == "prompt" || key == "input" {
            try readPrompts(&scan)
        } else if key == "max_tokens" || key == "max_completion_tokens" {
            limit = Int(try scan.integer() ?? 0)
        } else if key == "n" {
            choicesPerPrompt = Int(try scan.integer() ?? 1)
        } else if key == "stream" {
            isStream = try readTrue(&scan)
        } else if key == "stream_options" {
            try readStreamOptions(&scan)
        } else if key == "tools" {
            try readTools(&scan)
        } else {
            try scan.skip()
        }
    }

    /// Whether Lumen's prompt bound counts this member.
    private static func isRead(_ key: JSONString) -> Bool {
        key == "messages" || key == "prompt" || key == "input" || key == "tools" || key == "functions"
            || key == "response_format"
    }

    private mutating func readMessages(_ scan: inout JSONScan) throws(JSONScanError) {
        var last = ""
        try scan.array { scan throws(JSONScanError) in
            promptBound += 8
            last = ""
            try scan.object { key, scan throws(JSONScanError) in
                guard key == "content" else { return }
                last = try Self.text(of: &scan)
                promptWords += Words.count(in: last)
            }
        }
        quotes = [last]
    }

    /// A message's content: a string, or a list of parts of which the texts are taken.
    private static func text(of scan: inout JSONScan) throws(JSONScanError) -> String {
        switch try scan.kind() {
        case .string: return try scan.string().text
        case .array:
            var texts: [String] = []
            try scan.array { scan throws(JSONScanError) in
                try scan.object { key, scan throws(JSONScanError) in
                    if key == "text" { texts.append(try scan.string().text) }
                }
            }
            return texts.joined(separator: "\n")
        default:
            try scan.skip()
            return ""
        }
    }

    /// A string, or a list of strings or of token numbers, which count as a word each.
    private mutating func readPrompts(_ scan: inout JSONScan) throws(JSONScanError) {
        guard try scan.kind() == .array else {
            quotes = [try scan.string().text]
            promptWords = Words.count(in: quotes[0])
            return
        }
        try scan.array { scan throws(JSONScanError) in
            if try scan.kind() == .string {
                quotes.append(try scan.string().text)
                promptWords += Words.count(in: quotes[quotes.count - 1])
            } else {
                try scan.skip()
                promptWords += 1
                if quotes.isEmpty { quotes = [""] }
            }
        }
    }

    private mutating func readStreamOptions(_ scan: inout JSONScan) throws(JSONScanError) {
        guard try scan.kind() == .object else { return }
        try scan.object { key, scan throws(JSONScanError) in
            if key == "include_usage" { wantsUsageEvent = try readTrue(&scan) }
        }
    }

    private mutating func readTools(_ scan: inout JSONScan) throws(JSONScanError) {
        try scan.array { scan throws(JSONScanError) in
            try scan.object { key, scan throws(JSONScanError) in
                guard key == "function" else { return }
                try scan.object { key, scan throws(JSONScanError) in
                    if key == "name", toolName == nil { toolName = try scan.string().text }
                }
            }
        }
    }

    private func readTrue(_ scan: inout JSONScan) throws(JSONScanError) -> Bool {
        let start = scan.position
        guard try scan.kind() == .bool else { return false }
        return try scan.skip().upperBound - start == 4
    }
}
