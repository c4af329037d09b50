import SharedProtocol

/// The scan of what a model is to read.
extension PromptSize {
    /// Counts prompts or inputs: a string is one, so is a list of token numbers, and a list of either is as many as it has.
    /// False when it is anything else, or empty.
    mutating func readTexts(_ scan: inout JSONScan) throws(JSONScanError) -> Bool {
        switch try scan.kind() {
        case .string: texts = 1
        case .array:
            var first: JSONScan.Kind?
            var isMixed = false
            try scan.array { scan throws(JSONScanError) in
                let kind = try scan.kind()
                if first == nil { first = kind } else if first != kind { isMixed = true }
                texts += 1
            }
            switch first {
            case .number where !isMixed: texts = 1
            case .string where !isMixed, .array where !isMixed: break
            default: return false
            }
        default: return false
        }
        return true
    }

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
