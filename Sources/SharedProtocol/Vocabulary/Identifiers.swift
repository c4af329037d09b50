/// The names of things that cross a process boundary, each a type of its own so that one is never passed for another.

/// A value that is a single JSON string or number on the wire.
public protocol Identifier: RawRepresentable, Hashable, WireValue, CustomStringConvertible
where RawValue: WireValue & Hashable & CustomStringConvertible {
    init(rawValue: RawValue)
}

extension Identifier {
    public init(_ rawValue: RawValue) { self.init(rawValue: rawValue) }
    public var description: String { rawValue.description }
}

/// A person's row in auth-service; never reused.
public struct UserID: Identifier {
    public let rawValue: Int64
    public init(rawValue: Int64) { self.rawValue = rawValue }
}

/// An API key's row in auth-service; never reused.
public struct KeyID: Identifier {
    public let rawValue: Int64
    public init(rawValue: Int64) { self.rawValue = rawValue }
}

/// Names a browser session on pages and in forms; of no use to whoever would take it over.
public struct SessionID: Identifier {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    /// A fresh id: 80 random bits in base 32.
    public static func random() -> SessionID { SessionID(RandomText.base32(16)) }
}

/// The public name of a model, as in `models[].name`.
public struct ModelName: Identifier {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
}

/// The name of a group, as in `groups.<name>`.
public struct GroupName: Identifier {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    /// Everyone is a member of this group.
    public static let everyone = GroupName("default")
}

/// Names one client request through every service, log and bill. Made by web, never by a client.
public struct RequestID: Identifier {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    /// A fresh id: `req_`, the time in milliseconds, and 75 random bits, all in base 32. Ids of one time begin alike, so that
    /// an index of them grows in one place instead of touching a page of its own for each.
    public static func random(at time: Timestamp = .now()) -> RequestID {
        RequestID("req_" + RandomText.base32(of: UInt64(max(0, time.rawValue)), digits: 9) + RandomText.base32(15))
    }
}

/// Names one running process of a service; a restarted service is another instance.
public struct InstanceID: Identifier {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    /// A fresh id: 40 random bits in base 32.
    public static func random() -> InstanceID { InstanceID(RandomText.base32(8)) }
}

/// The four services and the operator's command.
public struct ServiceName: Identifier {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    public static let auth = ServiceName("auth")
    public static let ledger = ServiceName("ledger")
    public static let router = ServiceName("router")
    public static let web = ServiceName("web")
    public static let lumen = ServiceName("lumen")
}
