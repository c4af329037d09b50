/// `host:port`, where the host may be a name, an IPv4 address or an IPv6 address in brackets.
public struct HostAndPort: Sendable, Hashable, CustomStringConvertible {
    /// An IPv6 address keeps its brackets.
    public let host: String
    public let port: Int

    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    public var description: String { "\(host):\(port)" }

    /// The host as a resolver takes it: without brackets.
    public var unbracketedHost: String {
        host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
    }

    /// - Parameter defaultPort: used when the text names no port; without it the port is required.
    init?(_ text: some StringProtocol, defaultPort: Int? = nil) {
        let text = String(text)
        let hostEnd: String.Index
        if text.hasPrefix("[") {
            guard let bracket = text.firstIndex(of: "]") else { return nil }
            hostEnd = text.index(after: bracket)
            guard AddressRange(text[..<hostEnd]) != nil else { return nil }
        } else {
            hostEnd = text.firstIndex(of: ":") ?? text.endIndex
            guard hostEnd > text.startIndex, text[..<hostEnd].utf8.allSatisfy(Self.isHostByte) else { return nil }
        }
        host = String(text[..<hostEnd])
        let portText = text[hostEnd...]
        if portText.isEmpty, let defaultPort {
            port = defaultPort
        } else {
            let digits = portText.dropFirst()
            guard portText.first == ":", digits.utf8.allSatisfy({ 48...57 ~= $0 }), let port = UInt16(digits) else {
                return nil
            }
            self.port = Int(port)
        }
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}

extension ScalarFormat where Value == HostAndPort {
    static var hostAndPort: Self {
        ScalarFormat("an address and port such as “127.0.0.1:5000” or “[::1]:5000”") { HostAndPort($0.text) }
    }
}
