/// Who a process is; told to its peers in the `hello` of each connection and in `instance.status`.
public struct ServiceIdentity: Sendable {
    public let service: ServiceName
    public let instance: InstanceID
    public let pid: Int32
    public let version: String
    public let started: Timestamp

    public init(
        service: ServiceName, instance: InstanceID, pid: Int32, version: String = LumenVersion.current,
        started: Timestamp = .now()
    ) {
        self.service = service
        self.instance = instance
        self.pid = pid
        self.version = version
        self.started = started
    }
}

public enum LumenVersion {
    public static let current = "0.1.0"
}
