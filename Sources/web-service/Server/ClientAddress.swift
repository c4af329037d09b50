import HTTPTypes
import Hummingbird
import NIOCore
import SharedProtocol

extension IPAddress {
    /// Where a request comes from. `X-Forwarded-For` is walked from the right for as long as the one who says it is
    /// trusted; what a stranger wrote there is never reached.
    ///
    /// - Returns: nil for a peer without an address, a Unix socket's.
    static func client(peer: SocketAddress?, headers: HTTPFields, trusted: [AddressRange]) -> IPAddress? {
        guard var address = peer.flatMap({ IPAddress($0) }) else { return nil }
        guard trusted.contains(where: { $0.contains(address) }) else { return address }
        for hop in headers[values: .forwardedFor].flatMap({ $0.split(separator: ",") }).reversed() {
            guard let said = IPAddress(hop: hop) else { return address }
            address = said
            guard trusted.contains(where: { $0.contains(address) }) else { return address }
        }
        return address
    }

    /// Reads `10.0.0.1`, `10.0.0.1:4711`, `fe80::1` or `[fe80::1]:4711`.
    private init?(hop: Substring) {
        var text = hop.drop(while: \.isWhitespace)
        while text.last?.isWhitespace == true { text.removeLast() }
        if text.hasPrefix("[") {
            self.init(text.dropFirst().prefix(while: { $0 != "]" }))
        } else if text.split(separator: ":", omittingEmptySubsequences: false).count == 2 {
            self.init(text.prefix(while: { $0 != ":" }))
        } else {
            self.init(text)
        }
    }
}
