import Glibc
import NIOCore

/// Cuts a stream of server-sent events (WHATWG HTML, section 9.2) into the data of its events, over any chunk boundaries.
///
/// What it yields are slices of what came in, without a copy, as long as an event has one line of data. Several lines
/// are joined by a space where the standard has a line feed: inside JSON both are white space, and the event stays one
/// line for whoever sends it on.
struct SSEParser {
    /// Longest event, in bytes, with all its lines.
    static let eventLimit = 16 << 20

    /// From the begin of the current event on.
    private var buffer = ByteBuffer()
    /// Begin of the current line and how far it has been searched for its end; offsets from the reader index.
    private var lineStart = 0
    private var searched = 0
    /// The current event's data lines; offsets from the reader index.
    private var data: [Range<Int>] = []
    /// A line ended with CR: a LF right behind it belongs to it.
    private var skipsLineFeed = false
    private var isAtStart = true

    struct EventTooLong: Error {}

    mutating func feed(_ bytes: ByteBuffer) {
        var bytes = bytes
        if buffer.readableBytes == 0 {
            buffer = bytes
        } else {
            buffer.discardReadBytes()
            buffer.writeBuffer(&bytes)
        }
    }

    /// The data of the next complete event that has any.
    mutating func next() throws(EventTooLong) -> ByteBuffer? {
        while let line = nextLine() {
            if line.isEmpty {
                guard let event = takeEvent() else { continue }
                if event.readableBytes > Self.eventLimit { throw EventTooLong() }
                return event
            } else {
                take(line)
            }
        }
        if buffer.readableBytes > Self.eventLimit { throw EventTooLong() }
        return nil
    }

    /// At the end of the stream: the data of an event that lacks its empty line, or even its line end.
    mutating func last() -> ByteBuffer? {
        if lineStart < buffer.readableBytes { take(lineStart..<buffer.readableBytes) }
        lineStart = buffer.readableBytes
        return takeEvent()
    }
}

extension SSEParser {
    /// The next complete line without its end.
    private mutating func nextLine() -> Range<Int>? {
        if skipsLineFeed, lineStart < buffer.readableBytes {
            skipsLineFeed = false
            if byte(at: lineStart) == UInt8(ascii: "\n") { advance(to: lineStart + 1) }
        }
        guard let end = lineEnd() else {
            searched = buffer.readableBytes
            return nil
        }
        let line = lineStart..<end
        skipsLineFeed = byte(at: end) == UInt8(ascii: "\r")
        advance(to: end + 1)
        return line
    }

    private mutating func advance(to offset: Int) {
        lineStart = offset
        searched = offset
    }

    /// Offset of the first CR or LF of the current line.
    private func lineEnd() -> Int? {
        buffer.withUnsafeReadableBytes { bytes in
            guard let base = bytes.baseAddress, searched < bytes.count else { return nil }
            let start = base + searched
            var length = bytes.count - searched
            let lineFeed = memchr(start, Int32(UInt8(ascii: "\n")), length)
            if let lineFeed { length = UnsafeRawPointer(lineFeed) - start }
            let end = memchr(start, Int32(UInt8(ascii: "\r")), length) ?? lineFeed
            return end.map { UnsafeRawPointer($0) - base }
        }
    }

    /// Remembers the line if it is data. All other fields, and comments, say nothing that matters here.
    private mutating func take(_ line: Range<Int>) {
        var line = line
        if isAtStart {
            isAtStart = false
            if starts(line, with: [0xEF, 0xBB, 0xBF]) { line = (line.lowerBound + 3)..<line.upperBound }
        }
        if starts(line, with: [0x64, 0x61, 0x74, 0x61, 0x3A]) {  // "data:"
            let value = line.lowerBound + 5
            let hasSpace = value < line.upperBound && byte(at: value) == UInt8(ascii: " ")
            data.append((hasSpace ? value + 1 : value)..<line.upperBound)
        } else if data.isEmpty {
            // Nothing of this event is kept, so it may be as long as it likes.
            forget(upTo: lineStart)
        }
    }

    /// The event's data, unless it is empty. What follows becomes the next event.
    private mutating func takeEvent() -> ByteBuffer? {
        let event = joined()
        data.removeAll(keepingCapacity: true)
        forget(upTo: lineStart)
        return event.flatMap { $0.readableBytes > 0 ? $0 : nil }
    }

    private func joined() -> ByteBuffer? {
        guard var event = data.first.flatMap({ slice($0) }) else { return nil }
        for line in data.dropFirst() {
            guard var more = slice(line) else { return nil }
            event.writeInteger(UInt8(ascii: " "))
            event.writeBuffer(&more)
        }
        return event
    }

    private mutating func forget(upTo offset: Int) {
        buffer.moveReaderIndex(forwardBy: offset)
        advance(to: 0)
        if buffer.readableBytes == 0 { buffer = ByteBuffer() }
    }

    private func byte(at offset: Int) -> UInt8? {
        buffer.getInteger(at: buffer.readerIndex + offset)
    }

    private func slice(_ range: Range<Int>) -> ByteBuffer? {
        buffer.getSlice(at: buffer.readerIndex + range.lowerBound, length: range.count)
    }

    private func starts(_ line: Range<Int>, with prefix: [UInt8]) -> Bool {
        buffer.withUnsafeReadableBytes { $0[line].starts(with: prefix) }
    }
}
