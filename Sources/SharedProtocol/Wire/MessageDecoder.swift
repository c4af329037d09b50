import NIOCore

/// Reads a `Decodable` value from JSON bytes with `JSONScan`, without a tree: an object's members are found once, and each
/// is decoded where it stands. The counterpart of `MessageEncoder`.
enum MessageDecoder {
    static func decode<Value: Decodable>(_ type: Value.Type, from bytes: UnsafeRawBufferPointer) throws -> Value {
        var scan = JSONScan(bytes)
        let range = try scan.skip()
        try scan.end()
        return try Value(from: ValueDecoder(bytes: UnsafeRawBufferPointer(rebasing: bytes[range])))
    }
}

/// Decodes one value: all of `bytes`, which are known to be valid JSON.
struct ValueDecoder: Decoder, SingleValueDecodingContainer {
    let bytes: UnsafeRawBufferPointer
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(try ObjectDecoder<Key>(bytes))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer { try ArrayDecoder(bytes) }
    func singleValueContainer() -> any SingleValueDecodingContainer { self }

    func decodeNil() -> Bool { bytes.first == UInt8(ascii: "n") }

    func decode(_ type: Bool.Type) throws -> Bool {
        switch bytes.first {
        case UInt8(ascii: "t"): return true
        case UInt8(ascii: "f"): return false
        default: throw mismatch(type)
        }
    }

    func decode(_ type: String.Type) throws -> String {
        guard bytes.first == UInt8(ascii: "\"") else { throw mismatch(type) }
        var scan = JSONScan(bytes)
        return try scan.string().text
    }

    func decode(_ type: Double.Type) throws -> Double {
        guard let first = bytes.first, first == UInt8(ascii: "-") || first &- UInt8(ascii: "0") <= 9,
            let value = Double(String(decoding: bytes, as: UTF8.self)), value.isFinite
        else { throw mismatch(type) }
        return value
    }

    func decode(_ type: Float.Type) throws -> Float { Float(try decode(Double.self)) }
    func decode(_ type: Int.Type) throws -> Int { try integer() }
    func decode(_ type: Int8.Type) throws -> Int8 { try integer() }
    func decode(_ type: Int16.Type) throws -> Int16 { try integer() }
    func decode(_ type: Int32.Type) throws -> Int32 { try integer() }
    func decode(_ type: Int64.Type) throws -> Int64 { try integer() }
    func decode(_ type: UInt.Type) throws -> UInt { try integer() }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try integer() }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try integer() }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try integer() }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try integer() }
    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try Value(from: self) }

    /// Whole numbers only, without fraction or exponent, within the type.
    private func integer<Value: FixedWidthInteger>() throws -> Value {
        let isNegative = bytes.first == UInt8(ascii: "-")
        let digits = isNegative ? bytes.dropFirst() : bytes[...]
        var value: Value = 0
        for byte in digits {
            let digit = byte &- UInt8(ascii: "0")
            let (shifted, overflows) = value.multipliedReportingOverflow(by: 10)
            let (next, exceeds) =
                isNegative
                ? shifted.subtractingReportingOverflow(Value(truncatingIfNeeded: digit))
                : shifted.addingReportingOverflow(Value(truncatingIfNeeded: digit))
            guard digit <= 9, !overflows, !exceeds else { throw mismatch(Value.self) }
            value = next
        }
        if digits.isEmpty { throw mismatch(Value.self) }
        return value
    }

    func mismatch(_ type: Any.Type) -> DecodingError {
        .typeMismatch(type, .init(codingPath: [], debugDescription: "the value is of another type"))
    }
}

private struct ObjectDecoder<Key: CodingKey>: KeyedDecodingContainerProtocol {
    private let members: [(key: JSONString, value: UnsafeRawBufferPointer)]
    var codingPath: [any CodingKey] { [] }

    init(_ bytes: UnsafeRawBufferPointer) throws {
        var members: [(key: JSONString, value: UnsafeRawBufferPointer)] = []
        // Room for nearly every contract at once, instead of growing four times.
        members.reserveCapacity(16)
        var scan = JSONScan(bytes)
        try scan.object { key, scan throws(JSONScanError) in
            members.append((key, UnsafeRawBufferPointer(rebasing: bytes[try scan.skip()])))
        }
        self.members = members
    }

    var allKeys: [Key] { members.compactMap { Key(stringValue: $0.key.text) } }
    func contains(_ key: Key) -> Bool { find(key) != nil }
    func decodeNil(forKey key: Key) throws -> Bool { try value(key).decodeNil() }
    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
        try Value(from: value(key))
    }

    func nestedContainer<Nested>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> { try value(key).container(keyedBy: type) }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try value(key).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder { preconditionFailure("messages are values, not classes") }
    func superDecoder(forKey key: Key) throws -> any Decoder { try value(key) }

    /// The first of several members with one name.
    private func find(_ key: Key) -> UnsafeRawBufferPointer? {
        var name = key.stringValue
        return name.withUTF8 { name in
            members.first { member in
                member.key.hasEscapes
                    ? member.key.text.utf8.elementsEqual(name)
                    : member.key.raw.count == name.count && member.key.raw.elementsEqual(name)
            }?.value
        }
    }

    private func value(_ key: Key) throws -> ValueDecoder {
        guard let value = find(key) else {
            throw DecodingError.keyNotFound(key, .init(codingPath: [], debugDescription: "a member is missing"))
        }
        return ValueDecoder(bytes: value)
    }
}

private struct ArrayDecoder: UnkeyedDecodingContainer {
    private let elements: [UnsafeRawBufferPointer]
    private(set) var currentIndex = 0
    var codingPath: [any CodingKey] { [] }
    var count: Int? { elements.count }
    var isAtEnd: Bool { currentIndex == elements.count }

    init(_ bytes: UnsafeRawBufferPointer) throws {
        var elements: [UnsafeRawBufferPointer] = []
        var scan = JSONScan(bytes)
        try scan.array { scan throws(JSONScanError) in
            elements.append(UnsafeRawBufferPointer(rebasing: bytes[try scan.skip()]))
        }
        self.elements = elements
    }

    mutating func decodeNil() throws -> Bool {
        guard try peek().decodeNil() else { return false }
        currentIndex += 1
        return true
    }

    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        let value = try Value(from: peek())
        currentIndex += 1
        return value
    }

    mutating func nestedContainer<Nested>(
        keyedBy type: Nested.Type
    ) throws -> KeyedDecodingContainer<Nested> { try next().container(keyedBy: type) }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { try next().unkeyedContainer() }
    mutating func superDecoder() throws -> any Decoder { try next() }

    private func peek() throws -> ValueDecoder {
        guard !isAtEnd else {
            throw DecodingError.valueNotFound(
                ValueDecoder.self, .init(codingPath: [], debugDescription: "the list has no more elements"))
        }
        return ValueDecoder(bytes: elements[currentIndex])
    }

    private mutating func next() throws -> ValueDecoder {
        defer { currentIndex += 1 }
        return try peek()
    }
}
