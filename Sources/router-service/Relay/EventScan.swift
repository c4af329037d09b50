import NIOCore
import SharedProtocol

/// What the router has to know of a backend's event, or of a whole reply, found in the one pass that proves it is JSON.
/// Every member is optional, `null` is as good as absent, and what has an unexpected type is ignored.
struct EventScan {
    /// Where the value of the top-level `model` stands.
    private(set) var model: Range<Int>?
    private var namesModelTwice = false
    private(set) var usage: Router.ReportedUsage?
    /// Bytes of text, reasoning and tool arguments, escapes as written.
    private(set) var contentBytes = 0
    private(set) var hasChoices = false
    /// A choice says why it ended.
    private(set) var isFinished = false
    /// The backend reports an error where an answer was to be.
    private(set) var hasError = false

    /// An event that only carries the usage; clients that did not ask for one must not see it.
    var isUsageOnly: Bool { usage != nil && !hasChoices }

    /// nil when the bytes are not one JSON object, or name the model twice: only one of two could be replaced, and readers
    /// differ in which they believe.
    init?(_ event: ByteBuffer) {
        var found = EventScan()
        let isObject = event.withUnsafeReadableBytes { bytes in
            var scan = JSONScan(bytes)
            do throws(JSONScanError) {
                try scan.object { key, scan throws(JSONScanError) in try found.readMember(key, &scan) }
                try scan.end()
                return true
            } catch {
                return false
            }
        }
        if !isObject || found.namesModelTwice { return nil }
        self = found
    }

    private init() {}

    /// The event with the public name in place of the backend's.
    func withPublicName(_ name: ByteBuffer, in event: ByteBuffer) -> ByteBuffer {
        guard let model else { return event }
        var spliced = ByteBuffer()
        spliced.reserveCapacity(event.readableBytes - model.count + name.readableBytes)
        spliced.writeImmutableBuffer(event.slice(0..<model.lowerBound))
        spliced.writeImmutableBuffer(name)
        spliced.writeImmutableBuffer(event.slice(model.upperBound..<event.readableBytes))
        return spliced
    }
}

extension EventScan {
    private mutating func readMember(_ key: JSONString, _ scan: inout JSONScan) throws(JSONScanError) {
        if key == "choices" {
            guard try scan.kind() == .array else { return }
            try scan.array { scan throws(JSONScanError) in try readChoice(&scan) }
        } else if key == "usage" {
            guard try scan.kind() == .object else { return }
            usage = try Self.readUsage(&scan)
        } else if key == "model" {
            if model != nil { namesModelTwice = true }
            model = try scan.skip()
        } else if key == "error" {
            hasError = try scan.kind() != .null
        }
    }

    private mutating func readChoice(_ scan: inout JSONScan) throws(JSONScanError) {
        hasChoices = true
        guard try scan.kind() == .object else { return }
        try scan.object { key, scan throws(JSONScanError) in
            if key == "delta" || key == "message" {
                guard try scan.kind() == .object else { return }
                try scan.object { key, scan throws(JSONScanError) in try readDelta(key, &scan) }
            } else if key == "text" {
                try countText(&scan)
            } else if key == "finish_reason", try scan.kind() != .null {
                isFinished = true
            }
        }
    }

    private mutating func readDelta(_ key: JSONString, _ scan: inout JSONScan) throws(JSONScanError) {
        if key == "content" || key == "reasoning_content" || key == "reasoning" || key == "refusal" {
            try countText(&scan)
        } else if key == "tool_calls" {
            guard try scan.kind() == .array else { return }
            try scan.array { scan throws(JSONScanError) in
                guard try scan.kind() == .object else { return }
                try scan.object { key, scan throws(JSONScanError) in
                    if key == "function" { try readFunction(&scan) }
                }
            }
        } else if key == "function_call" {
            try readFunction(&scan)
        }
    }

    private mutating func readFunction(_ scan: inout JSONScan) throws(JSONScanError) {
        guard try scan.kind() == .object else { return }
        try scan.object { key, scan throws(JSONScanError) in
            if key == "arguments" { try countText(&scan) }
        }
    }

    /// Counts a string's bytes, or those of a list of content parts as a whole.
    private mutating func countText(_ scan: inout JSONScan) throws(JSONScanError) {
        switch try scan.kind() {
        case .string: contentBytes += try scan.string().raw.count
        case .array, .object: contentBytes += try scan.skip().count
        case .number, .bool, .null: break
        }
    }

    /// Numbers beyond this are no token counts; nor do sums of those below it overflow.
    private static let mostTokens: Int64 = 1_000_000_000_000

    /// nil when it lacks what a bill needs.
    private static func readUsage(_ scan: inout JSONScan) throws(JSONScanError) -> Router.ReportedUsage? {
        var prompt: Int64?
        var completion: Int64?
        var total: Int64?
        try scan.object { key, scan throws(JSONScanError) in
            if key == "prompt_tokens" {
                prompt = try readCount(&scan)
            } else if key == "completion_tokens" {
                completion = try readCount(&scan)
            } else if key == "total_tokens" {
                total = try readCount(&scan)
            }
        }
        guard let prompt, let completion = completion ?? total.map({ max(0, $0 - prompt) }) else { return nil }
        return Router.ReportedUsage(prompt: TokenCount(prompt), completion: TokenCount(completion))
    }

    private static func readCount(_ scan: inout JSONScan) throws(JSONScanError) -> Int64? {
        guard try scan.kind() == .number, let count = try scan.integer(), (0...mostTokens).contains(count) else {
            return nil
        }
        return count
    }
}
