import SharedProtocol

/// The claims that groups are given by, as lists of values. Stored as JSON, so that the rules can be looked at again when
/// they change.
struct GroupClaims: Sendable, Hashable {
    /// Under their names; one without a value is absent.
    let values: Claims

    /// In the order in which they are stored.
    static let names = ["affiliation", "member_of", "idp", "ou"]
    /// Values that are kept of each claim, the first ones.
    static let mostValues = 500
    /// Bytes of one value; a longer one is dropped, since a part of it might be another's whole.
    static let longestValue = 1000

    init(_ values: Claims = [:]) { self.values = values.filter { !$0.value.isEmpty } }

    /// Which identity provider, of those behind the provider, the person used.
    var institutions: [String] { values["idp"] ?? [] }

    func completed(by other: GroupClaims) -> GroupClaims {
        GroupClaims(values.merging(other.values) { ours, _ in ours })
    }

    /// Takes the text apart at semicolons, and the blanks off both ends of each part.
    static func split(_ texts: [String]) -> [String] {
        let parts = texts.flatMap { $0.split(separator: ";") }.map { String($0).trimmed }
        return Array(parts.filter { 1...longestValue ~= $0.utf8.count }.prefix(mostValues))
    }
}

extension GroupClaims: Codable {
    private struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(_ name: String) { stringValue = name }
        init?(stringValue: String) { self.init(stringValue) }
        init?(intValue: Int) { nil }
    }

    init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: Name.self)
        var values: Claims = [:]
        for name in Self.names {
            guard let said = try? members.decode(TextList.self, forKey: Name(name)) else { continue }
            values[name] = Self.split(said.values)
        }
        self.init(values)
    }

    /// Always in the same order, and every claim: equal claims are equal texts.
    func encode(to encoder: any Encoder) throws {
        var members = encoder.container(keyedBy: Name.self)
        for name in Self.names { try members.encode(values[name] ?? [], forKey: Name(name)) }
    }
}
