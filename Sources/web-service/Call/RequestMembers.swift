import NIOCore
import SharedProtocol

/// The scan behind `ModelRequest`: the top-level members that matter, and where the others stand.
struct RequestMembers {
    var isObject = false
    /// The first thing that is wrong with a member.
    var problem: APIError?
    var model: String?
    var isStream = false
    var wantsUsage = false
    var outputs: Int64 = 1
    var maxTokens: Int64?
    var maxCompletionTokens: Int64?
    /// Nil when there are no messages, or they are no list.
    var prompt: PromptSize?

    private var seen: Set<String> = []
    /// Key and value of each member that goes upstream as it came.
    private var kept: [Range<Int>] = []
    private var streamOptions: Range<Int>?

    private static let guarded: Set<String> = [
        "model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n", "tools",
        "functions", "response_format",
    ]
    private static let readByModel: Set<String> = ["tools", "functions", "response_format"]
    private static let replaced: Set<String> = ["model", "stream_options", "max_tokens", "max_completion_tokens"]

    mutating func read(_ scan: inout JSONScan) throws(JSONScanError) {
        var size = PromptSize()
        var hasMessages = false
        try scan.object { key, scan throws(JSONScanError) in
            let name = key.text
            let start = key.position
            let valueStart = scan.position
            if Self.guarded.contains(name), !seen.insert(name).inserted {
                complain("“\(name)” is there twice.", name)
            }
            if name == "messages" {
                hasMessages = try size.readMessages(&scan)
            } else {
                try readMember(name, &scan)
            }
            if scan.position == valueStart { try scan.skip() }
            if name == "messages" || Self.readByModel.contains(name) {
                size.bytes += Int64(scan.position - valueStart)
            }
            if !Self.replaced.contains(name) { kept.append(start..<scan.position) }
        }
        if hasMessages { prompt = size }
    }

    private mutating func readMember(_ name: String, _ scan: inout JSONScan) throws(JSONScanError) {
        let kind = try scan.kind()
        switch name {
        case "model":
            guard kind == .string else { return complain("“model” must be a string.", name) }
            model = try scan.string().text
        case "stream":
            guard kind == .bool || kind == .null else { return complain("“stream” must be true or false.", name) }
            isStream = try scan.skip().count == "true".utf8.count && kind == .bool
        case "max_tokens": maxTokens = try positive(name, &scan)
        case "max_completion_tokens": maxCompletionTokens = try positive(name, &scan)
        case "n":
            outputs = try positive(name, &scan) ?? 1
            if outputs > ModelRequest.outputsLimit {
                complain("“n” may be at most \(ModelRequest.outputsLimit).", name)
            }
        case "stream_options":
            guard kind != .null else { return }
            guard kind == .object else { return complain("“stream_options” must be an object.", name) }
            let start = scan.position
            try scan.object { key, scan throws(JSONScanError) in
                if key == "include_usage", try scan.kind() == .bool {
                    wantsUsage = try scan.skip().count == "true".utf8.count
                }
            }
            streamOptions = start..<scan.position
        default: break
        }
    }

    /// A whole number from 1; absent when null.
    private mutating func positive(_ name: String, _ scan: inout JSONScan) throws(JSONScanError) -> Int64? {
        let kind = try scan.kind()
        if kind == .null { return nil }
        guard kind == .number, let value = try scan.integer(), value > 0, value <= Self.mostTokens else {
            complain("“\(name)” must be a positive integer.", name)
            return nil
        }
        return value
    }

    /// Beyond any model; keeps products of it within 64 bits.
    private static let mostTokens: Int64 = 1_000_000_000_000

    private mutating func complain(_ message: String, _ param: String) {
        if problem == nil { problem = .invalidRequest(message, param: param) }
    }

    /// The object again, of the members that were kept, each as it was written.
    func body(of json: ByteBuffer) -> ByteBuffer {
        var body = ByteBufferAllocator().buffer(capacity: json.readableBytes + 64)
        body.writeStaticString("{")
        for member in kept {
            if body.readableBytes > 1 { body.writeStaticString(",") }
            body.writeImmutableBuffer(json.slice(member))
        }
        if isStream {
            if body.readableBytes > 1 { body.writeStaticString(",") }
            body.writeStaticString("\"stream_options\":")
            if let streamOptions {
                writeOptions(json.slice(streamOptions), to: &body)
            } else {
                body.writeStaticString("{\"include_usage\":true}")
            }
        }
        body.writeStaticString("}")
        return body
    }

    /// The client's options with `include_usage` put last, where it overrides what they say.
    private func writeOptions(_ options: ByteBuffer, to body: inout ByteBuffer) {
        var others: [Range<Int>] = []
        try? options.withUnsafeReadableBytes { bytes throws(JSONScanError) in
            var scan = JSONScan(bytes)
            try scan.object { key, scan throws(JSONScanError) in
                let start = key.position
                try scan.skip()
                if !(key == "include_usage") { others.append(start..<scan.position) }
            }
        }
        body.writeStaticString("{")
        for member in others {
            body.writeImmutableBuffer(options.slice(member))
            body.writeStaticString(",")
        }
        body.writeStaticString("\"include_usage\":true}")
    }
}

extension PromptSize {
    /// Counts messages and what their parts carry; false, with nothing read, when there is no list.
    mutating func readMessages(_ scan: inout JSONScan) throws(JSONScanError) -> Bool {
        guard try scan.kind() == .array else { return false }
        try scan.array { scan throws(JSONScanError) in
            messages += 1
            guard try scan.kind() == .object else { return }
            try scan.object { key, scan throws(JSONScanError) in
                guard key == "content", try scan.kind() == .array else { return }
                try scan.array { scan throws(JSONScanError) in
                    if try scan.kind() == .object { try readPart(&scan) }
                }
            }
        }
        return true
    }

    /// One part of a message's content. Only what its type says it carries is taken out of the byte count: text that looks
    /// like a data URL is text.
    private mutating func readPart(_ scan: inout JSONScan) throws(JSONScanError) {
        var type = ""
        var imagePayload: Int64 = 0
        var otherPayload: Int64 = 0
        try scan.object { key, scan throws(JSONScanError) in
            let kind = try scan.kind()
            if key == "type", kind == .string {
                type = try scan.string().text
            } else if key == "image_url", kind == .object {
                imagePayload += try Self.payload(named: "url", isDataURL: true, in: &scan)
            } else if key == "input_audio", kind == .object {
                otherPayload += try Self.payload(named: "data", isDataURL: false, in: &scan)
            } else if key == "file", kind == .object {
                otherPayload += try Self.payload(named: "file_data", isDataURL: true, in: &scan)
            }
        }
        switch type {
        case "image_url":
            images += 1
            bytes -= imagePayload
        case "input_audio", "file":
            bytes -= otherPayload
            otherPayloadBytes += otherPayload
        default: break
        }
    }

    /// How many bytes of the named member are payload.
    private static func payload(
        named name: StaticString, isDataURL: Bool, in scan: inout JSONScan
    ) throws(JSONScanError) -> Int64 {
        var count: Int64 = 0
        try scan.object { key, scan throws(JSONScanError) in
            guard key == name, try scan.kind() == .string else { return }
            let raw = try scan.string().raw
            if !isDataURL {
                count = Int64(raw.count)
            } else if raw.starts(with: "data:".utf8), let comma = raw.firstIndex(of: UInt8(ascii: ",")) {
                count = Int64(raw.count - comma - 1)
            }
        }
        return count
    }
}
