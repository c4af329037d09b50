import Glibc
import Logging
import NIOConcurrencyHelpers

/// Writes each log event as one line of JSON on standard error: time, level, service, instance, message, metadata.
public struct JSONLogHandler: LogHandler {
    /// Longer messages and values are cut, in bytes: a log is no place for a body.
    static let valueLimit = 4000

    public var metadata: Logger.Metadata = [:]
    public var logLevel: Logger.Level {
        get { Self.level.withLockedValue { $0 } }
        nonmutating set { Self.level.withLockedValue { $0 = newValue } }
    }

    private let label: String
    private let fixed: String
    private static let level = NIOLockedValueBox(Logger.Level.info)

    /// Sets the level of every logger of the process, at once.
    public static func setLevel(_ newLevel: Logger.Level) { level.withLockedValue { $0 = newLevel } }

    public init(label: String, service: String, instance: String) {
        self.label = label
        fixed = ",\"service\":\(Self.quoted(service)),\"instance\":\(Self.quoted(instance))"
    }

    public subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var line = "{\"time\":\"\(Self.time())\",\"level\":\"\(event.level)\"\(fixed),\"part\":\(Self.quoted(label))"
        line += ",\"message\":\(Self.quoted(event.message.description))"
        for (key, value) in metadata.merging(event.metadata ?? [:], uniquingKeysWith: { _, new in new }) {
            line += ",\(Self.quoted(key)):\(Self.json(value))"
        }
        line += "}\n"
        // One write for one line, so that the lines of several processes do not mix.
        _ = line.withUTF8 { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    private static func json(_ value: Logger.MetadataValue) -> String {
        switch value {
        case .string(let text): quoted(text)
        case .stringConvertible(let number as any FixedWidthInteger): "\(number)"
        case .stringConvertible(let value): quoted(value.description)
        case .array(let values): "[\(values.map(json).joined(separator: ","))]"
        case .dictionary(let values): "{\(values.map { "\(quoted($0)):\(json($1))" }.joined(separator: ","))}"
        }
    }

    static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars.prefix(valueLimit) {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case _ where scalar.value < 0x20:
                quoted += "\\u00" + (scalar.value < 0x10 ? "0" : "") + String(scalar.value, radix: 16)
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    /// Now, as RFC 3339 in UTC with milliseconds.
    private static func time() -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var parts = tm()
        gmtime_r(&now.tv_sec, &parts)
        func padded(_ number: some BinaryInteger, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        return "\(padded(parts.tm_year + 1900, 4))-\(padded(parts.tm_mon + 1, 2))-\(padded(parts.tm_mday, 2))T"
            + "\(padded(parts.tm_hour, 2)):\(padded(parts.tm_min, 2)):\(padded(parts.tm_sec, 2))"
            + ".\(padded(now.tv_nsec / 1_000_000, 3))Z"
    }
}
