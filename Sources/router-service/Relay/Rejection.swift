import NIOCore
import SharedProtocol

/// A backend's words on a request that it refuses, in any of the shapes that backends use: OpenAI's `{"error":{…}}`, its
/// members at the top level, `{"error":"…"}` or `{"detail":"…"}`.
struct Rejection {
    /// With which a backend says that the request itself is at fault.
    static let statuses: Set<Int> = [400, 413, 415, 422]
    /// Longer refusals are not read, in bytes.
    static let bodyLimit = 64 << 10
    /// Longer messages are cut, in characters.
    static let messageLimit = 2000

    private var message: String?
    private var type: String?
    private var code: String?
    private var param: String?

    init(_ body: ByteBuffer) {
        var found = Rejection()
        let isJSON = body.withUnsafeReadableBytes { bytes in
            var scan = JSONScan(bytes)
            do throws(JSONScanError) {
                try found.read(&scan)
                try scan.end()
                return true
            } catch {
                return false
            }
        }
        self = isJSON ? found : Rejection()
    }

    private init() {}

    /// The status that it would have had, if it says so; nil: it does not say that the request is at fault.
    var status: Int? {
        if let status = code.flatMap({ Int($0) }) { return Self.statuses.contains(status) ? status : nil }
        return type == "invalid_request_error" ? 400 : nil
    }

    /// What the client may read of it: nothing that tells where the endpoint is or how it is entered.
    func failure(status: Int, scrubbing endpoint: Endpoint) -> Router.Failure {
        let secrets = Self.secrets(of: endpoint)
        func clean(_ text: String?) -> String? {
            text.map { Self.scrub(String($0.prefix(Self.messageLimit)), of: secrets) }
        }
        return Router.Failure(
            .rejected, clean(message) ?? "The model's backend refused the request.", status: status,
            code: clean(code), type: clean(type), param: clean(param))
    }
}

extension Rejection {
    private mutating func read(_ scan: inout JSONScan) throws(JSONScanError) {
        guard try scan.kind() == .object else { return }
        try scan.object { key, scan throws(JSONScanError) in
            if key == "error", try scan.kind() == .object {
                try read(&scan)
            } else if key == "message" || key == "error" || key == "detail" {
                message = try Self.text(&scan) ?? message
            } else if key == "type" {
                type = try Self.text(&scan) ?? type
            } else if key == "code" {
                code = try Self.text(&scan) ?? code
            } else if key == "param" {
                param = try Self.text(&scan) ?? param
            }
        }
    }

    /// A string, or a number as text.
    private static func text(_ scan: inout JSONScan) throws(JSONScanError) -> String? {
        switch try scan.kind() {
        case .string: try scan.string().text
        case .number: try scan.integer().map { "\($0)" }
        case .object, .array, .bool, .null: nil
        }
    }

    /// Longest first, so that no rest of a longer one stays.
    private static func secrets(of endpoint: Endpoint) -> [String] {
        let url = endpoint.configuration.url
        let afterScheme = url.split(separator: "://", maxSplits: 1).last ?? ""
        let authority = afterScheme.prefix { $0 != "/" }
        let host =
            authority.hasPrefix("[") ? authority.prefix { $0 != "]" }.dropFirst() : authority.prefix { $0 != ":" }
        return [
            url, String(afterScheme), String(authority), String(host), endpoint.configuration.apiKey?.reveal() ?? "",
        ]
        .filter { !$0.isEmpty }
        .sorted { $0.count > $1.count }
    }

    private static func scrub(_ text: String, of secrets: [String]) -> String {
        secrets.reduce(text) { text, secret in
            // Hosts may come back in another case.
            var rest = text[...]
            var clean = ""
            while let found = rest.firstRange(of: secret, ignoringCase: true) {
                clean += rest[..<found.lowerBound] + "(backend)"
                rest = rest[found.upperBound...]
            }
            return clean + rest
        }
    }
}

extension Substring {
    fileprivate func firstRange(of text: String, ignoringCase: Bool) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if let end = index(start, offsetBy: text.count, limitedBy: endIndex),
                self[start..<end].lowercased() == text.lowercased()
            {
                return start..<end
            }
            start = index(after: start)
        }
        return nil
    }
}
