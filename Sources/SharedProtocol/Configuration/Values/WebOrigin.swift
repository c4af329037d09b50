/// Scheme, host and port of a web address, in the form in which a browser writes an `Origin` header.
public struct WebOrigin: Sendable, Hashable, CustomStringConvertible {
    public let isSecure: Bool
    /// Lower case; an IPv6 address in brackets.
    public let host: String
    public let port: Int

    public init(isSecure: Bool, host: String, port: Int) {
        self.isSecure = isSecure
        self.host = host
        self.port = port
    }

    /// Compares equal, byte for byte, to the `Origin` header of a page of this site.
    public var description: String {
        let address = (isSecure ? "https://" : "http://") + host
        return port == (isSecure ? 443 : 80) ? address : "\(address):\(port)"
    }

    /// Whether the host names this very machine.
    public var isLoopback: Bool {
        AddressRange(host)?.isLoopback ?? (host == "localhost" || host.hasSuffix(".localhost"))
    }

    /// Whether an identity provider may be spoken to there: over https, or, with `app.debug`, on this very machine.
    public func isFitForLogin(debug: Bool) -> Bool { isSecure || (debug && isLoopback) }
}

/// An absolute http or https address, taken apart just enough to judge it. User information and fragments are refused:
/// the first would be a secret in a place that is shown, the second is never sent.
public struct WebAddress: Sendable, Hashable, CustomStringConvertible {
    public let origin: WebOrigin
    /// Begins with `/`, or is empty; with the query, if any.
    public let path: String

    /// As it was written, but for the letter case of scheme and host and a default port.
    public var description: String { origin.description + path }

    public init?(_ text: String) {
        guard let scheme = text.firstRange(of: "://"), text.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else { return nil }
        let secure: Bool
        switch text[..<scheme.lowerBound].lowercased() {
        case "https": secure = true
        case "http": secure = false
        default: return nil
        }
        let rest = text[scheme.upperBound...]
        let end = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
        guard !rest.contains("#"), !rest.contains("\""), !rest.contains("\\"), !rest.contains("<"),
            let place = HostAndPort(rest[..<end], defaultPort: secure ? 443 : 80), place.port > 0
        else { return nil }
        origin = WebOrigin(isSecure: secure, host: place.host.lowercased(), port: place.port)
        path = String(rest[end...])
    }
}
