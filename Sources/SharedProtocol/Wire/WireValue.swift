import NIOCore

/// What crosses the wire as a JSON value. Any `Codable` type does, with its synthesized coders; a `WireObject` has
/// quicker ones.
public protocol WireValue: Codable, Sendable {
    /// Appends the value.
    func encode(into buffer: inout ByteBuffer) throws

    /// Reads the value that all the bytes are.
    init(json bytes: UnsafeRawBufferPointer) throws
}

extension WireValue {
    public func encode(into buffer: inout ByteBuffer) throws { try MessageEncoder.encode(self, into: &buffer) }

    public init(json bytes: UnsafeRawBufferPointer) throws { self = try MessageDecoder.decode(Self.self, from: bytes) }
}

extension Int: WireValue {}

extension Int64: WireValue {
    public func encode(into buffer: inout ByteBuffer) {
        if self < 0 { buffer.writeStaticString("-") }
        buffer.writeInteger(decimal: magnitude)
    }

    public init(json bytes: UnsafeRawBufferPointer) throws { self = try ValueDecoder(bytes: bytes).decode(Int64.self) }
}

extension Bool: WireValue {
    public func encode(into buffer: inout ByteBuffer) { buffer.writeStaticString(self ? "true" : "false") }

    public init(json bytes: UnsafeRawBufferPointer) throws { self = try ValueDecoder(bytes: bytes).decode(Bool.self) }
}

extension String: WireValue {
    public func encode(into buffer: inout ByteBuffer) { buffer.writeJSONString(self) }

    public init(json bytes: UnsafeRawBufferPointer) throws { self = try ValueDecoder(bytes: bytes).decode(String.self) }
}

extension Identifier {
    public func encode(into buffer: inout ByteBuffer) throws { try rawValue.encode(into: &buffer) }

    public init(json bytes: UnsafeRawBufferPointer) throws { self.init(rawValue: try RawValue(json: bytes)) }
}

extension Array: WireValue where Element: WireValue {
    public func encode(into buffer: inout ByteBuffer) throws {
        buffer.writeStaticString("[")
        for index in indices {
            if index > 0 { buffer.writeStaticString(",") }
            try self[index].encode(into: &buffer)
        }
        buffer.writeStaticString("]")
    }

    public init(json bytes: UnsafeRawBufferPointer) throws {
        self = []
        var scan = JSONScan(bytes)
        var elements: [Range<Int>] = []
        try scan.array { scan throws(JSONScanError) in elements.append(try scan.skip()) }
        try scan.end()
        self = try elements.map { try Element(json: UnsafeRawBufferPointer(rebasing: bytes[$0])) }
    }
}
