import NIOCore

/// One message between two processes: a 4-byte big-endian length and that many bytes of UTF-8 JSON. The vocabulary is
/// JSON-RPC 2.0's, with streams added:
///
/// | frame | members |
/// |---|---|
/// | hello | `hello`: who speaks; the first frame in each direction |
/// | request | `id`, `method`, `params`; optional `request`, `deadline_ms`, `body` |
/// | event | `id`, `event`: any JSON value |
/// | reply | `id`, and `result` or `error` |
/// | cancel | `id`, `cancel: true`: end a streaming call early |
///
/// `body` and `event` are carried verbatim: written and read as bytes, checked by `JSONScan`, never decoded here.
enum Frame {
    /// Longest frame, in bytes, without its length. The longest body is 20 MiB, the longest reply 24 MiB.
    static let sizeLimit = 32 << 20
    static let version = 1

    case hello(Hello)
    case request(Request)
    case event(id: UInt64, ByteBuffer)
    case result(id: UInt64, ByteBuffer)
    case error(id: UInt64, CallError)
    case cancel(id: UInt64)

    struct Hello: Codable {
        var version: Int
        var service: ServiceName
        var instance: InstanceID
        var pid: Int32
    }

    struct Request {
        var id: UInt64
        var method: String
        var request: RequestID?
        var deadlineMs: Int64
        var params: ByteBuffer
        var body: ByteBuffer?
    }
}

extension Frame {
    static func hello(from identity: ServiceIdentity) throws(CallError) -> ByteBuffer {
        let hello = Hello(
            version: version, service: identity.service, instance: identity.instance, pid: identity.pid)
        return try framed { buffer throws(CallError) in
            buffer.writeStaticString(#"{"hello":"#)
            try buffer.writeJSON(hello)
        }
    }

    /// Throws `internalError` when the call cannot be encoded and `protocolViolation` when it is over `sizeLimit`.
    static func request(
        id: UInt64, _ call: some Call, request: RequestID?, timeout: Duration, body: ByteBuffer?
    ) throws(CallError) -> ByteBuffer {
        let frame = try framed(sizeHint: 1024 + (body?.readableBytes ?? 0)) { buffer throws(CallError) in
            buffer.writeStaticString(#"{"id":"#)
            buffer.writeInteger(decimal: id)
            buffer.writeStaticString(#","method":""#)
            buffer.writeString(type(of: call).method)
            if let request {
                // Request ids are made by web from a plain alphabet, so that they need no escaping.
                buffer.writeStaticString(#"","request":""#)
                buffer.writeString(request.rawValue)
            }
            buffer.writeStaticString(#"","deadline_ms":"#)
            buffer.writeInteger(decimal: UInt64(max(0, timeout.milliseconds)))
            buffer.writeStaticString(#","params":"#)
            try buffer.writeJSON(call)
            if let body {
                buffer.writeStaticString(#","body":"#)
                buffer.writeImmutableBuffer(body)
            }
        }
        return try checked(frame)
    }

    static func event(id: UInt64, _ event: ByteBuffer) throws(CallError) -> ByteBuffer {
        let frame = framed(sizeHint: 64 + event.readableBytes) { buffer throws(Never) in
            buffer.writeStaticString(#"{"id":"#)
            buffer.writeInteger(decimal: id)
            buffer.writeStaticString(#","event":"#)
            buffer.writeImmutableBuffer(event)
        }
        return try checked(frame)
    }

    static func reply(id: UInt64, _ outcome: Result<some WireValue, CallError>) throws(CallError) -> ByteBuffer {
        let frame = try framed { buffer throws(CallError) in
            buffer.writeStaticString(#"{"id":"#)
            buffer.writeInteger(decimal: id)
            switch outcome {
            case .success(let result):
                buffer.writeStaticString(#","result":"#)
                try buffer.writeJSON(result)
            case .failure(let error):
                buffer.writeStaticString(#","error":"#)
                try buffer.writeJSON(error)
            }
        }
        return try checked(frame)
    }

    /// The reply that a call failed; always encodable.
    static func failure(id: UInt64, _ error: CallError) -> ByteBuffer {
        let short = CallError(error.code, String(error.message.prefix(1000)), retryAfterMs: error.retryAfterMs)
        do throws(CallError) {
            return try reply(id: id, Result<Done, CallError>.failure(short))
        } catch {
            preconditionFailure("an error is two short strings and a number")
        }
    }

    static func cancel(id: UInt64) -> ByteBuffer {
        framed { buffer throws(Never) in
            buffer.writeStaticString(#"{"id":"#)
            buffer.writeInteger(decimal: id)
            buffer.writeStaticString(#","cancel":true"#)
        }
    }

    /// Writes the length, what `members` writes, and the closing brace.
    private static func framed<E: Error>(
        sizeHint: Int = 512, _ members: (inout ByteBuffer) throws(E) -> Void
    ) throws(E) -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: sizeHint)
        buffer.writeInteger(UInt32(0))
        try members(&buffer)
        buffer.writeStaticString("}")
        buffer.setInteger(UInt32(truncatingIfNeeded: buffer.readableBytes - 4), at: buffer.readerIndex)
        return buffer
    }

    private static func checked(_ frame: ByteBuffer) throws(CallError) -> ByteBuffer {
        guard frame.readableBytes - 4 <= sizeLimit else {
            throw CallError(.protocolViolation, "a message is longer than \(sizeLimit >> 20) MiB")
        }
        return frame
    }
}

extension Frame {
    /// Reads one frame's JSON. Unknown members are ignored; what is no frame at all is a `protocolViolation`.
    init(parsing json: ByteBuffer) throws(CallError) {
        var members = Members()
        do {
            try json.withUnsafeReadableBytes { bytes throws(JSONScanError) in
                var scan = JSONScan(bytes)
                try members.read(&scan)
                try scan.end()
            }
        } catch {
            throw CallError(.protocolViolation, "a frame is not JSON")
        }
        self = try members.frame(of: json)
    }

    /// Where the members of a frame stand.
    private struct Members {
        var id: UInt64?
        var method: String?
        var request: RequestID?
        var deadlineMs: Int64?
        var isCancel = false
        var hello: Range<Int>?
        var params: Range<Int>?
        var body: Range<Int>?
        var event: Range<Int>?
        var result: Range<Int>?
        var error: Range<Int>?

        mutating func read(_ scan: inout JSONScan) throws(JSONScanError) {
            try scan.object { key, scan throws(JSONScanError) in
                if key == "id" {
                    id = try scan.integer().flatMap { UInt64(exactly: $0) }
                } else if key == "event" {
                    event = try scan.skip()
                } else if key == "result" {
                    result = try scan.skip()
                } else if key == "method" {
                    method = try scan.string().text
                } else if key == "params" {
                    params = try scan.skip()
                } else if key == "body" {
                    body = try scan.skip()
                } else if key == "request" {
                    request = RequestID(try scan.string().text)
                } else if key == "deadline_ms" {
                    deadlineMs = try scan.integer()
                } else if key == "error" {
                    error = try scan.skip()
                } else if key == "cancel" {
                    isCancel = true
                } else if key == "hello" {
                    hello = try scan.skip()
                }
            }
        }

        func frame(of json: ByteBuffer) throws(CallError) -> Frame {
            if let hello { return .hello(try json.slice(hello).decodeJSON(Hello.self)) }
            guard let id else { throw CallError(.protocolViolation, "a frame has no id") }
            if let event { return .event(id: id, json.slice(event)) }
            if let result { return .result(id: id, json.slice(result)) }
            if let error { return .error(id: id, try json.slice(error).decodeJSON(CallError.self)) }
            if isCancel { return .cancel(id: id) }
            guard let method, let params else { throw CallError(.protocolViolation, "a frame is of no known kind") }
            return .request(
                Request(
                    id: id, method: method, request: request, deadlineMs: deadlineMs ?? 0,
                    params: json.slice(params), body: body.map { json.slice($0) }))
        }
    }
}

/// Splits a byte stream into the JSON of its frames. Between two frames it holds no bytes, so that a connection's receive
/// buffer serves again and again.
struct FrameDecoder {
    /// The begin of a frame whose rest has not come; nil between frames.
    private var partial: ByteBuffer?

    /// Hands on what is complete by now, frame by frame. Throws what `take` throws, and a `protocolViolation` for a frame
    /// over `Frame.sizeLimit`.
    mutating func feed(_ bytes: ByteBuffer, _ take: (ByteBuffer) throws -> Void) throws {
        var bytes = bytes
        let isContinued = partial != nil
        if var partial {
            self.partial = nil
            partial.writeBuffer(&bytes)
            bytes = partial
        }
        let start = bytes.readerIndex
        while let frame = try Self.next(&bytes) { try take(frame) }
        if bytes.readableBytes == 0 { return }
        partial = isContinued && bytes.readerIndex == start ? bytes : Self.begin(bytes)
    }

    private static func next(_ buffer: inout ByteBuffer) throws(CallError) -> ByteBuffer? {
        guard let length = try length(of: buffer), buffer.readableBytes >= 4 + length else { return nil }
        buffer.moveReaderIndex(forwardBy: 4)
        return buffer.readSlice(length: length)
    }

    private static func length(of buffer: ByteBuffer) throws(CallError) -> Int? {
        guard let length = buffer.getInteger(at: buffer.readerIndex, as: UInt32.self) else { return nil }
        guard length <= Frame.sizeLimit else {
            throw CallError(.protocolViolation, "a frame of \(length) bytes is over the limit")
        }
        return Int(length)
    }

    /// A buffer of its own for the frame that begins so, with room for the whole of it.
    private static func begin(_ bytes: ByteBuffer) -> ByteBuffer {
        let length = bytes.getInteger(at: bytes.readerIndex, as: UInt32.self).map { 4 + Int($0) }
        var frame = ByteBufferAllocator().buffer(capacity: max(length ?? 0, bytes.readableBytes))
        frame.writeImmutableBuffer(bytes)
        return frame
    }
}
