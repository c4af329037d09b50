import NIOCore

/// A message that is a JSON object and reads and writes its members itself, as its synthesized coders would: one of those that
/// every model request sends. `Codable` comes to each member through several layers of containers that are made for it
/// (measured: a tenth of a request's CPU over all processes).
public protocol WireObject: WireValue {
    /// Writes the members, in the order in which `init(members:)` asks for them: that makes finding them quick.
    func encodeMembers(into buffer: inout ByteBuffer) throws

    init(members: inout MemberReader) throws
}

extension WireObject {
    public func encode(into buffer: inout ByteBuffer) throws {
        buffer.writeStaticString("{")
        try encodeMembers(into: &buffer)
        buffer.writeStaticString("}")
    }

    public init(json bytes: UnsafeRawBufferPointer) throws {
        var members = try MemberReader(bytes)
        try self.init(members: &members)
    }
}

extension ByteBuffer {
    /// Appends a member to an object that has been begun; nothing when there is no value.
    ///
    /// - Parameter name: plain, without a character that JSON escapes.
    mutating func writeMember<Value: WireValue>(_ name: StaticString, _ value: Value?) throws {
        guard let value else { return }
        let isFirst = getInteger(at: writerIndex - 1, as: UInt8.self) == UInt8(ascii: "{")
        writeStaticString(isFirst ? "\"" : ",\"")
        writeStaticString(name)
        writeStaticString("\":")
        try value.encode(into: &self)
    }
}

/// The members of one JSON object, found in one pass; each is read where it stands. Those that nobody asks for are ignored.
public struct MemberReader {
    /// A member that is not there.
    struct Missing: Error {
        let name: StaticString
    }

    private let bytes: UnsafeRawBufferPointer
    private var members: [(name: JSONString, value: Range<Int>)] = []
    /// Where the next one that is asked for stands, if they are asked for in the order in which they were written.
    private var next = 0

    init(_ bytes: UnsafeRawBufferPointer) throws {
        self.bytes = bytes
        // Room for every such message at once, instead of growing four times.
        members.reserveCapacity(12)
        var scan = JSONScan(bytes)
        try scan.object { name, scan throws(JSONScanError) in members.append((name, try scan.skip())) }
        try scan.end()
    }

    mutating func decode<Value: WireValue>(_ name: StaticString) throws -> Value {
        guard let bytes = find(name) else { throw Missing(name: name) }
        return try Value(json: bytes)
    }

    /// Nil when the member is not there, or null.
    mutating func decodeIfPresent<Value: WireValue>(_ name: StaticString) throws -> Value? {
        guard let bytes = find(name), bytes.first != UInt8(ascii: "n") else { return nil }
        return try Value(json: bytes)
    }

    private mutating func find(_ name: StaticString) -> UnsafeRawBufferPointer? {
        for _ in members.indices {
            if next == members.count { next = 0 }
            let member = members[next]
            next += 1
            if member.name == name { return UnsafeRawBufferPointer(rebasing: bytes[member.value]) }
        }
        return nil
    }
}
