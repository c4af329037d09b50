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

    /// Decodes all readable bytes. Throws `invalidParams` naming the type, never the content.
    public func decodeJSON<Value: Decodable>(_ type: Value.Type) throws(CallError) -> Value {
        do {
            return try withUnsafeReadableBytes { try MessageDecoder.decode(type, from: $0) }
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

extension Duration {
    /// Whole milliseconds, rounded up, so that a wait is never shorter than was asked for.
    public var milliseconds: Int64 {
        components.seconds * 1000 + (components.attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    }

    public var timeAmount: TimeAmount {
        .nanoseconds(components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000)
    }
}
