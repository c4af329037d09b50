extension String {
    /// For a part of a path, or a value in a query or a form: all but letters, digits and `-._~/` escaped.
    public var percentEncoded: String {
        let digits = Array("0123456789ABCDEF".utf8)
        let plain = Set("-._~/".utf8)
        let bytes = utf8.flatMap { byte -> [UInt8] in
            let isAlphanumeric = 0x30...0x39 ~= byte || 0x41...0x5A ~= byte || 0x61...0x7A ~= byte
            guard !isAlphanumeric, !plain.contains(byte) else { return [byte] }
            return [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
