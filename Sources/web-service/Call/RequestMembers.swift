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
    /// `best_of` of `/completions`: how many outputs are made of which `n` are sent.
    var bestOf: Int64 = 1
    /// Nil when what the operation is about (messages, prompt or input) is missing or has another shape.
    var prompt: PromptSize?

    let operation: Router.Operation
    private var seen: Set<String> = []
    /// Key and value of each member that goes upstream as it came.
    private var kept: [Range<Int>] = []
    private var streamOptions: Range<Int>?

    init(of operation: Router.Operation) { self.operation = operation }

    /// Characters of a client's name for a member that are said back.
    private static let longestShownName = 64
    private static let readByModel: Set<String> = [
        "messages", "prompt", "input", "suffix", "tools", "functions", "response_format",
    ]
    private static let replaced: Set<String> = ["model", "stream_options", "max_tokens", "max_completion_tokens"]

    mutating func read(_ scan: inout JSONScan) throws(JSONScanError) {
        var size = PromptSize()
        var hasPrompt = false
        let subject = operation.subject
        try scan.object { key, scan throws(JSONScanError) in
            let name = key.text
            let start = key.position
            let valueStart = scan.position
            // Whatever it means: a backend may take the other one.
            if !seen.insert(name).inserted {
                let shown = String(name.prefix(Self.longestShownName))
                complain("“\(shown)” is there twice.", shown)
            }
            if name == subject {
                hasPrompt = name == "messages" ? try size.readMessages(&scan) : try size.readTexts(&scan)
            } else {
                try readMember(name, &scan)
            }
            if scan.position == valueStart { try scan.skip() }
            if Self.readByModel.contains(name) { size.bytes += Int64(scan.position - valueStart) }
            if !isReplaced(name) { kept.append(start..<scan.position) }
        }
        if hasPrompt { prompt = size }
    }

    /// Embeddings have no output to limit, and nothing to stream.
    private func isReplaced(_ name: String) -> Bool {
        operation == .embeddings ? name == "model" : Self.replaced.contains(name)
    }

    private mutating func readMember(_ name: String, _ scan: inout JSONScan) throws(JSONScanError) {
        if name == "model" {
            guard try scan.kind() == .string else { return complain("“model” must be a string.", name) }
            model = try scan.string().text
        } else if operation != .embeddings {
            try readOutputMember(name, &scan)
        }
    }

    private mutating func readOutputMember(_ name: String, _ scan: inout JSONScan) throws(JSONScanError) {
        switch name {
        case "stream":
            let kind = try scan.kind()
            guard kind == .bool || kind == .null else { return complain("“stream” must be true or false.", name) }
            isStream = try scan.skip().count == "true".utf8.count && kind == .bool
        case "max_tokens": maxTokens = try positive(name, &scan)
        case "max_completion_tokens":
            maxCompletionTokens = try positive(name, &scan)
            if operation == .completions, maxCompletionTokens != nil {
                complain("The limit of this path is “max_tokens”.", name)
            }
        case "n": outputs = try outputCount(name, &scan)
        case "best_of" where operation == .completions: bestOf = try outputCount(name, &scan)
        case "stream_options": try readStreamOptions(&scan)
        default: break
        }
    }

    private mutating func readStreamOptions(_ scan: inout JSONScan) throws(JSONScanError) {
        let kind = try scan.kind()
        if kind == .null { return }
        guard kind == .object else { return complain("“stream_options” must be an object.", "stream_options") }
        let start = scan.position
        try scan.object { key, scan throws(JSONScanError) in
            if key == "include_usage", try scan.kind() == .bool {
                wantsUsage = try scan.skip().count == "true".utf8.count
            }
        }
        streamOptions = start..<scan.position
    }

    /// `n` or `best_of`; 1 when null.
    private mutating func outputCount(_ name: String, _ scan: inout JSONScan) throws(JSONScanError) -> Int64 {
        let count = try positive(name, &scan) ?? 1
        if count > ModelRequest.outputsLimit {
            complain("“\(name)” may be at most \(ModelRequest.outputsLimit).", name)
        }
        return count
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

extension Router.Operation {
    /// The member that a request is about.
    var subject: String {
        switch self {
        case .completions: "prompt"
        case .embeddings: "input"
        default: "messages"
        }
    }
}
