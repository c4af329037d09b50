/// A value that never prints itself: not in a log, an error, a debugger's dump or string interpolation. It is no
/// `Codable`, so that it does not cross a wire by accident.
public struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let value: String

    public init(_ value: String) { self.value = value }

    /// The value itself, for the one place that uses it.
    public func reveal() -> String { value }

    public var description: String { "<secret>" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
