import Glibc
import Logging
import NIOConcurrencyHelpers
import NIOCore
import SharedProtocol

/// Writes each log event as one line of JSON on standard error: time, level, service, instance, message, metadata.
public struct JSONLogHandler: LogHandler {
    public var metadata: Logger.Metadata = [:]
    public var logLevel: Logger.Level {
        get { Self.level.withLockedValue { $0 } }
        nonmutating set { Self.level.withLockedValue { $0 = newValue } }
    }

    /// What all lines of this logger have in common.
    private let fixed: ByteBuffer
    private static let level = NIOLockedValueBox(Logger.Level.info)

    /// Sets the level of every logger of the process, at once.
    public static func setLevel(_ newLevel: Logger.Level) { level.withLockedValue { $0 = newLevel } }

    public init(label: String, service: String, instance: String) {
        var line = LogLine()
        line.addMember("service", service)
        line.addMember("instance", instance)
        line.addMember("part", label)
        fixed = line.bytes
    }

    public subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var line = LogLine()
        line.add("{\"time\":\"")
        line.addTime()
        line.add("\",\"level\":\"")
        line.add(event.level.rawValue)
        line.add("\"")
        line.bytes.writeImmutableBuffer(fixed)
        line.addMember("message", event.message.description)
        for (key, value) in metadata where event.metadata?[key] == nil { line.addMember(key, value) }
        for (key, value) in event.metadata ?? [:] { line.addMember(key, value) }
        line.add("}\n")
        // One write for one line, so that the lines of several processes do not mix.
        _ = line.bytes.withUnsafeReadableBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}

/// A line in the making. Bytes, not a string: a busy service writes thousands of lines a second.
private struct LogLine {
    /// Longer texts are cut, in bytes: a log is no place for a body.
    static let textLimit = 4000

    var bytes = ByteBufferAllocator().buffer(capacity: 512)

    mutating func add(_ text: String) { bytes.writeString(text) }

    mutating func addMember(_ key: String, _ text: String) {
        add(",")
        addQuoted(key)
        add(":")
        addQuoted(text)
    }

    mutating func addMember(_ key: String, _ value: Logger.MetadataValue) {
        add(",")
        addQuoted(key)
        add(":")
        addValue(value)
    }

    private mutating func addValue(_ value: Logger.MetadataValue) {
        switch value {
        case .string(let text): addQuoted(text)
        case .stringConvertible(let number as any FixedWidthInteger): add("\(number)")
        case .stringConvertible(let value): addQuoted(value.description)
        case .array(let values):
            for (index, value) in values.enumerated() {
                add(index == 0 ? "[" : ",")
                addValue(value)
            }
            add(values.isEmpty ? "[]" : "]")
        case .dictionary(let values):
            for (index, (key, value)) in values.enumerated() {
                add(index == 0 ? "{" : ",")
                addQuoted(key)
                add(":")
                addValue(value)
            }
            add(values.isEmpty ? "{}" : "}")
        }
    }

    private mutating func addQuoted(_ text: String) {
        // A cut in the middle of a character leaves bytes that are not UTF-8; decoding replaces them.
        let whole =
            text.utf8.count > Self.textLimit ? String(decoding: text.utf8.prefix(Self.textLimit), as: UTF8.self) : text
        bytes.writeJSONString(whole)
    }

    /// Now, as RFC 3339 in UTC with milliseconds.
    mutating func addTime() {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var parts = tm()
        gmtime_r(&now.tv_sec, &parts)
        addDigits(Int(parts.tm_year) + 1900, 4, "-")
        addDigits(Int(parts.tm_mon) + 1, 2, "-")
        addDigits(Int(parts.tm_mday), 2, "T")
        addDigits(Int(parts.tm_hour), 2, ":")
        addDigits(Int(parts.tm_min), 2, ":")
        addDigits(Int(parts.tm_sec), 2, ".")
        addDigits(now.tv_nsec / 1_000_000, 3, "Z")
    }

    private mutating func addDigits(_ number: Int, _ width: Int, _ after: Unicode.Scalar) {
        var divisor = (1..<width).reduce(1) { power, _ in power * 10 }
        while divisor > 0 {
            bytes.writeInteger(UInt8(ascii: "0") + UInt8(number / divisor % 10))
            divisor /= 10
        }
        bytes.writeInteger(UInt8(ascii: after))
    }
}
