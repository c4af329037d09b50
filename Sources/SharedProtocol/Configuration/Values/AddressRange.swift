import NIOCore

/// IP addresses that share their first bits: `10.0.0.0/8`, `::1`. An IPv4 address that arrives on an IPv6 socket
/// (`::ffff:10.0.0.1`) counts as IPv4.
public struct AddressRange: Sendable, Hashable, CustomStringConvertible {
    private let bytes: [UInt8]
    private let prefixLength: Int
    /// As it was written.
    public let description: String

    /// Reads an address, with brackets or without, or a range in CIDR notation.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        var address = parts.first.map { String($0) } ?? ""
        if address.hasPrefix("["), address.hasSuffix("]") { address = String(address.dropFirst().dropLast()) }
        guard let bytes = IPAddress(address)?.bytes else { return nil }
        self.bytes = bytes
        if parts.count == 2 {
            guard let length = UInt8(parts[1]).map(Int.init), length <= bytes.count * 8 else { return nil }
            prefixLength = length
        } else {
            prefixLength = bytes.count * 8
        }
        description = String(text)
    }

    /// Whether the peer's address is one of these; false for a Unix socket.
    public func contains(_ address: SocketAddress) -> Bool {
        IPAddress(address).map(contains) ?? false
    }

    /// Whether only this very machine is meant.
    var isLoopback: Bool {
        bytes.count == 4
            ? bytes[0] == 127 && prefixLength >= 8 : bytes.dropLast().allSatisfy { $0 == 0 } && bytes[15] == 1
    }

    public func contains(_ address: IPAddress) -> Bool {
        let other = address.bytes
        guard other.count == bytes.count else { return false }
        return (0..<prefixLength).allSatisfy { bit in
            (bytes[bit / 8] ^ other[bit / 8]) & (0x80 >> UInt8(bit % 8)) == 0
        }
    }
}

extension ScalarFormat where Value == AddressRange {
    static var addressRange: Self {
        ScalarFormat("an IP address or a range such as “10.0.0.0/8”") { AddressRange($0.text) }
    }
}
