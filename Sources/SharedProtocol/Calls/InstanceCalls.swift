/// What every service instance answers.
public enum Instance {
    /// Who are you and are you well. Answered from memory.
    public struct Status: Call {
        public static let method = "instance.status"
        public static let isIdempotent = true
        public typealias Reply = Report

        public init() {}
    }

    public struct Report: WireValue, Hashable {
        public var service: ServiceName
        public var instance: InstanceID
        public var pid: Int32
        public var version: String
        public var started: Timestamp
        /// Why the instance is not healthy, in sentences for the operator; empty when it is.
        public var problems: [String]

        public init(
            service: ServiceName, instance: InstanceID, pid: Int32, version: String, started: Timestamp,
            problems: [String]
        ) {
            self.service = service
            self.instance = instance
            self.pid = pid
            self.version = version
            self.started = started
            self.problems = problems
        }
    }
}
