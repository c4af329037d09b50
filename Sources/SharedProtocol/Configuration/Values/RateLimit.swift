/// At most `count` requests in a window of time, as in `30 per minute`.
public struct RateLimit: Sendable, Hashable, Codable {
    public let count: Int
    public let windowSeconds: Int

    static let mostCount = 1_000_000_000
    static let longestWindowSeconds = 366 * 86_400

    public init(count: Int, windowSeconds: Int) {
        self.count = count
        self.windowSeconds = windowSeconds
    }

    /// Reads `N per [M] second|minute|hour|day` or `N/second`, several joined by `;`, each once. Nothing if any is not
    /// that.
    public static func parse(_ text: String) -> [RateLimit]? {
        var limits: [RateLimit] = []
        for part in text.split(separator: ";", omittingEmptySubsequences: false) {
            guard let limit = RateLimit(part.lowercased()) else { return nil }
            // Twice the same would be counted twice.
            if !limits.contains(limit) { limits.append(limit) }
        }
        return limits
    }

    private init?(_ text: String) {
        var words = text.replacing("/", with: " per ").split(whereSeparator: \.isWhitespace)[...]
        guard words.count >= 3, let count = words.popFirst().flatMap({ Self.number($0) }), words.popFirst() == "per",
            let unit = words.popLast().flatMap({ Self.unit($0) }), words.count <= 1
        else { return nil }
        guard let multiple = words.first.map({ Self.number($0) }) ?? 1 else { return nil }
        guard count <= Self.mostCount, multiple <= Self.longestWindowSeconds / unit else { return nil }
        self.init(count: count, windowSeconds: multiple * unit)
    }

    private static func number(_ word: Substring) -> Int? {
        guard word.utf8.allSatisfy({ 48...57 ~= $0 }), let value = Int(word), value > 0 else { return nil }
        return value
    }

    private static func unit(_ word: Substring) -> Int? {
        switch word.hasSuffix("s") ? word.dropLast() : word {
        case "second": 1
        case "minute": 60
        case "hour": 3600
        case "day": 86_400
        default: nil
        }
    }
}

extension ScalarFormat where Value == [RateLimit] {
    static var rateLimits: Self {
        ScalarFormat("limits such as “30 per minute” or “5/second; 1000 per 1 day”") { RateLimit.parse($0.text) }
    }
}
