import NIOCore

/// Writes an `Encodable` value as JSON straight into a byte buffer. Foundation's encoder builds a tree first and asks of every
/// value whether it is a date or a URL; messages have none, and are encoded several times in each request (measured: a
/// third of its time). For the contracts of this module: containers are written in the order in which they are opened.
enum MessageEncoder {
    static func encode(_ value: some Encodable, into buffer: inout ByteBuffer) throws {
        let sink = JSONSink(buffer)
        // The sink is the only owner, so that it writes in place.
        buffer = ByteBuffer()
        defer { buffer = sink.buffer }
        try value.encode(to: ValueEncoder(sink: sink))
        sink.close(downTo: 0)
    }
}

/// The text so far, and the containers that are open in it. Writing to a container closes those that were opened in it: a
/// `Codable` type never says when it is done with one.
private final class JSONSink {
    var buffer: ByteBuffer
    private var closers: [UInt8] = []
    private var isFirst = true

    init(_ buffer: ByteBuffer) {
        self.buffer = buffer
        closers.reserveCapacity(16)
    }

    /// Returns the depth of the new container.
    func open(_ opener: UInt8, _ closer: UInt8) -> Int {
        buffer.writeInteger(opener)
        closers.append(closer)
        isFirst = true
        return closers.count
    }

    func close(downTo depth: Int) {
        while closers.count > depth {
            buffer.writeInteger(closers.removeLast())
            isFirst = false
        }
    }

    /// Goes to the next place in the container of this depth.
    func next(in depth: Int) {
        close(downTo: depth)
        if !isFirst { buffer.writeInteger(UInt8(ascii: ",")) }
        isFirst = false
    }

    func writeKey(_ key: some CodingKey, in depth: Int) {
        next(in: depth)
        write(key.stringValue)
        buffer.writeInteger(UInt8(ascii: ":"))
    }

    func writeNull() { buffer.writeStaticString("null") }
    func write(_ value: Bool) { buffer.writeStaticString(value ? "true" : "false") }

    func write(_ value: some BinaryInteger) {
        if value < 0 { buffer.writeInteger(UInt8(ascii: "-")) }
        buffer.writeInteger(decimal: UInt64(value.magnitude))
    }

    func write(_ value: Double, _ path: [any CodingKey]) throws {
        guard value.isFinite else {
            throw EncodingError.invalidValue(value, .init(codingPath: path, debugDescription: "not a JSON number"))
        }
        buffer.writeString("\(value)")
    }

    func write(_ text: String) { buffer.writeJSONString(text) }
}

/// Encodes one value where the sink stands.
private struct ValueEncoder: Encoder, SingleValueEncodingContainer {
    let sink: JSONSink
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        let depth = sink.open(UInt8(ascii: "{"), UInt8(ascii: "}"))
        return KeyedEncodingContainer(ObjectEncoder<Key>(sink: sink, depth: depth))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        ArrayEncoder(sink: sink, depth: sink.open(UInt8(ascii: "["), UInt8(ascii: "]")))
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { self }

    func encodeNil() { sink.writeNull() }
    func encode(_ value: Bool) { sink.write(value) }
    func encode(_ value: String) { sink.write(value) }
    func encode(_ value: Double) throws { try sink.write(value, codingPath) }
    func encode(_ value: Float) throws { try sink.write(Double(value), codingPath) }
    func encode(_ value: Int) { sink.write(value) }
    func encode(_ value: Int8) { sink.write(value) }
    func encode(_ value: Int16) { sink.write(value) }
    func encode(_ value: Int32) { sink.write(value) }
    func encode(_ value: Int64) { sink.write(value) }
    func encode(_ value: UInt) { sink.write(value) }
    func encode(_ value: UInt8) { sink.write(value) }
    func encode(_ value: UInt16) { sink.write(value) }
    func encode(_ value: UInt32) { sink.write(value) }
    func encode(_ value: UInt64) { sink.write(value) }
    func encode(_ value: some Encodable) throws { try value.encode(to: self) }
}

private struct ObjectEncoder<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let sink: JSONSink
    let depth: Int
    var codingPath: [any CodingKey] { [] }

    private func value(_ key: Key) -> ValueEncoder {
        sink.writeKey(key, in: depth)
        return ValueEncoder(sink: sink)
    }

    func encodeNil(forKey key: Key) { value(key).encodeNil() }
    func encode(_ value: Bool, forKey key: Key) { self.value(key).encode(value) }
    func encode(_ value: String, forKey key: Key) { self.value(key).encode(value) }
    func encode(_ value: Double, forKey key: Key) throws { try self.value(key).encode(value) }
    func encode(_ value: Float, forKey key: Key) throws { try self.value(key).encode(value) }
    func encode(_ value: Int, forKey key: Key) { self.value(key).encode(value) }
    func encode(_ value: Int8, forKey key: Key) { self.value(key).encode(value) }
    func encode(_ value: Int16, forKey key: Key) { self.value(key).encode(value) }
    func encode(_ value: Int32, forKey key: Key) { self.value(key).encode(value) }
    func encode(_ value: Int64, forKey key: Key) { self.value(key).encode(value) }
    func encode(_ value: UInt, forKey key: Key) { self.value(key).encode(value) }
    func encode(_ value: UInt8, forKey key: Key) { self.value(key).encode(value) }
    func encode(_ value: UInt16, forKey key: Key) { self.value(key).encode(value) }
    func encode(_ value: UInt32, forKey key: Key) { self.value(key).encode(value) }
    func encode(_ value: UInt64, forKey key: Key) { self.value(key).encode(value) }
    func encode(_ value: some Encodable, forKey key: Key) throws { try value.encode(to: self.value(key)) }

    func nestedContainer<Nested>(keyedBy type: Nested.Type, forKey key: Key) -> KeyedEncodingContainer<Nested> {
        value(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { value(key).unkeyedContainer() }
    func superEncoder() -> any Encoder { preconditionFailure("messages are values, not classes") }
    func superEncoder(forKey key: Key) -> any Encoder { value(key) }
}

private struct ArrayEncoder: UnkeyedEncodingContainer {
    let sink: JSONSink
    let depth: Int
    private(set) var count = 0
    var codingPath: [any CodingKey] { [] }

    init(sink: JSONSink, depth: Int) {
        self.sink = sink
        self.depth = depth
    }

    private mutating func element() -> ValueEncoder {
        sink.next(in: depth)
        count += 1
        return ValueEncoder(sink: sink)
    }

    mutating func encodeNil() { element().encodeNil() }
    mutating func encode(_ value: some Encodable) throws { try value.encode(to: element()) }

    mutating func nestedContainer<Nested>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
        element().container(keyedBy: type)
    }

    mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { element().unkeyedContainer() }
    mutating func superEncoder() -> any Encoder { element() }
}
