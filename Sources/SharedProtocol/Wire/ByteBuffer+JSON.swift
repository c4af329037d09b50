import NIOCore

/// JSON in and out of byte buffers, for the small typed messages of the wire.
extension ByteBuffer {
    /// Appends the value. Throws `internalError` when its type cannot be encoded.
    public mutating func writeJSON(_ value: some Encodable) throws(CallError) {
        do {
            try MessageEncoder.encode(value, into: &self)
        } catch {
            throw CallError(.internalError, "a \(type(of: value)) could not be encoded")
        }
    }

    /// Appends the message. Throws `internalError` when it cannot be encoded.
    public mutating func writeJSON(_ message: some WireValue) throws(CallError) {
        do {
            try message.encode(into: &self)
        } catch {
            throw CallError(.internalError, "a \(type(of: message)) could not be encoded")
        }
    }

    /// Decodes all readable bytes. Throws `invalidParams` naming the type, never the content.
    public func decodeJSON<Value: Decodable>(_ type: Value.Type) throws(CallError) -> Value {
        do {
            return try withUnsafeReadableBytes { try MessageDecoder.decode(type, from: $0) }
        } catch {
            throw CallError(.invalidParams, "a message is not a \(Value.self)")
        }
    }

    /// Decodes all readable bytes. Throws `invalidParams` naming the type, never the content.
    public func decodeJSON<Value: WireValue>(_ type: Value.Type) throws(CallError) -> Value {
        do {
            return try withUnsafeReadableBytes { try Value(json: $0) }
        } catch {
            throw CallError(.invalidParams, "a message is not a \(Value.self)")
        }
    }

    /// The bytes at `range`, counted from the reader index; shares storage.
    public func slice(_ range: Range<Int>) -> ByteBuffer {
        guard let slice = getSlice(at: readerIndex + range.lowerBound, length: range.count) else {
            preconditionFailure("the range was found in this buffer")
        }
        return slice
    }

    /// Appends the number in decimal digits, without making a string.
    public mutating func writeInteger(decimal value: UInt64) {
        withUnsafeTemporaryAllocation(byteCount: 20, alignment: 1) { digits in
            var rest = value
            var start = 20
            repeat {
                start -= 1
                digits[start] = UInt8(ascii: "0") + UInt8(rest % 10)
                rest /= 10
            } while rest > 0
            writeBytes(UnsafeRawBufferPointer(rebasing: digits[start...]))
        }
    }
}

extension ByteBuffer {
    /// The text as a JSON string.
    public init(quoting text: String) {
        self.init()
        writeJSONString(text)
    }

    /// Appends the text as a JSON string.
    public mutating func writeJSONString(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x22 && $0 != 0x5C }) else {
                return writeWithEscapes(UnsafeRawBufferPointer(bytes))
            }
            writeWithUnsafeMutableBytes(minimumWritableBytes: bytes.count + 2) { space in
                space[0] = UInt8(ascii: "\"")
                UnsafeMutableRawBufferPointer(rebasing: space[1...]).copyMemory(from: UnsafeRawBufferPointer(bytes))
                space[bytes.count + 1] = UInt8(ascii: "\"")
                return bytes.count + 2
            }
        }
    }

    private mutating func writeWithEscapes(_ bytes: UnsafeRawBufferPointer) {
        writeInteger(UInt8(ascii: "\""))
        var plain = 0
        for index in bytes.indices where bytes[index] < 0x20 || bytes[index] == 0x22 || bytes[index] == 0x5C {
            writeBytes(UnsafeRawBufferPointer(rebasing: bytes[plain..<index]))
            writeEscaped(bytes[index])
            plain = index + 1
        }
        writeBytes(UnsafeRawBufferPointer(rebasing: bytes[plain...]))
        writeInteger(UInt8(ascii: "\""))
    }

    private mutating func writeEscaped(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): writeStaticString("\\\"")
        case UInt8(ascii: "\\"): writeStaticString("\\\\")
        case UInt8(ascii: "\n"): writeStaticString("\\n")
        default:
            let digits: StaticString = "0123456789abcdef"
            writeStaticString("\\u00")
            writeInteger(digits.utf8Start[Int(byte >> 4)])
            writeInteger(digits.utf8Start[Int(byte & 15)])
        }
    }
}

extension Duration {
    /// Whole milliseconds, rounded up, so that a wait is never shorter than was asked for.
    public var milliseconds: Int64 {
        components.seconds * 1000 + (components.attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    }

    public var timeAmount: TimeAmount {
        .nanoseconds(components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000)
    }
}
