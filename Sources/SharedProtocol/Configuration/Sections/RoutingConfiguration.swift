/// `routing`: how long the services wait for backends and for clients.
public struct RoutingConfiguration: Sendable, Hashable {
    /// For endpoints that set none of their own.
    public var timeouts: BackendTimeouts
    /// For a whole request.
    public var total: Duration
    /// How long a client may read nothing before it is cut.
    public var clientStall: Duration
    /// How long running streams may go on after SIGTERM.
    public var drain: Duration
}

/// The waits that each endpoint may set for itself.
public struct BackendTimeouts: Sendable, Hashable {
    public var connect: Duration
    /// From the request's end to the first byte of the reply.
    public var firstByte: Duration
    /// Between two pieces of a reply; a reply that we pause is not idle.
    public var idle: Duration
}

extension RoutingConfiguration {
    init(_ section: ConfigurationSection) {
        timeouts = BackendTimeouts(
            section, default: BackendTimeouts(connect: .seconds(3), firstByte: .seconds(300), idle: .seconds(120)))
        total = section.read("total_timeout", .duration, default: .seconds(1800))
        clientStall = section.read("client_stall_timeout", .duration, default: .seconds(60))
        drain = section.read("drain", .duration, default: .seconds(60))
        section.finish()
    }
}

extension BackendTimeouts {
    init(_ section: ConfigurationSection, default others: BackendTimeouts) {
        connect = section.read("connect_timeout", .duration, default: others.connect)
        firstByte = section.read("first_byte_timeout", .duration, default: others.firstByte)
        idle = section.read("idle_timeout", .duration, default: others.idle)
    }
}
