import NIOCore
import SharedProtocol

/// A request's JSON object as it came from web, without `model` and output limit, which each endpoint gets in its own way.
struct RequestBody: Sendable {
    /// What stands behind the opening brace.
    private let rest: ByteBuffer
    private let isEmpty: Bool
    private let limit: (field: String?, value: TokenCount)?

    /// Throws `invalidParams` when the bytes are not an object.
    init(_ body: ByteBuffer?, of call: Router.Complete) throws(CallError) {
        let bytes = body ?? ByteBuffer()
        guard let brace = Self.firstVisible(of: bytes), Self.byte(of: bytes, at: brace) == UInt8(ascii: "{")
        else { throw CallError(.invalidParams, "the body is not a JSON object") }
        let rest = bytes.slice((brace + 1)..<bytes.readableBytes)
        let next = Self.firstVisible(of: rest)
        isEmpty = next.map { Self.byte(of: rest, at: $0) == UInt8(ascii: "}") } ?? true
        self.rest = rest
        limit = call.outputLimit.map { (call.outputLimitField, $0) }
    }

    /// The bytes to send to this endpoint.
    func bytes(for endpoint: Endpoint) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.reserveCapacity(rest.readableBytes + endpoint.quotedRemoteModel.readableBytes + 64)
        bytes.writeStaticString(#"{"model":"#)
        bytes.writeImmutableBuffer(endpoint.quotedRemoteModel)
        if let limit {
            bytes.writeStaticString(",")
            bytes.writeJSONString(limit.field ?? endpoint.configuration.outputLimitField)
            bytes.writeStaticString(":")
            limit.value.rawValue.encode(into: &bytes)
        }
        if !isEmpty { bytes.writeStaticString(",") }
        bytes.writeImmutableBuffer(rest)
        return bytes
    }

    /// Offset of the first byte that is not white space.
    private static func firstVisible(of bytes: ByteBuffer) -> Int? {
        bytes.withUnsafeReadableBytes { $0.firstIndex { ![0x20, 0x09, 0x0A, 0x0D].contains($0) } }
    }

    private static func byte(of bytes: ByteBuffer, at offset: Int) -> UInt8? {
        bytes.getInteger(at: bytes.readerIndex + offset)
    }
}
