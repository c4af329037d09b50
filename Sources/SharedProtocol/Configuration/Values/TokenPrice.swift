/// What a million tokens cost: 10⁻⁹ USD per 10⁶ tokens, exact. For the display of usage only.
public struct TokenPrice: Sendable, Hashable, Codable {
    public let nanoDollarsPerMillion: Int64

    /// A million dollars for a million tokens.
    static let most: Int64 = 1_000_000_000_000_000
    public static let free = TokenPrice(nanoDollarsPerMillion: 0)

    public init(nanoDollarsPerMillion: Int64) { self.nanoDollarsPerMillion = nanoDollarsPerMillion }

    /// Reads USD as decimal text with at most nine places: `0.15`.
    init?(dollars text: String) {
        guard let value = DecimalText.parse(text, places: 9), value <= Self.most else { return nil }
        self.init(nanoDollarsPerMillion: value)
    }

    /// The cost of one event: its parts are added first, then rounded half up once, so that no event is rounded twice.
    /// What does not fit is `Int64.max`.
    public static func cost(of parts: [(tokens: TokenCount, price: TokenPrice)]) -> NanoDollars {
        let exact = parts.reduce(Int128(0)) { sum, part in
            sum + Int128(part.tokens.rawValue) * Int128(part.price.nanoDollarsPerMillion)
        }
        return NanoDollars(Int64(clamping: (exact + 500_000) / 1_000_000))
    }
}
