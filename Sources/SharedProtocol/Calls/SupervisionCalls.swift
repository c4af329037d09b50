/// What `lumen up` answers on `lumen.sock`: the children that it keeps alive.
public enum Supervision {
    /// Answered from memory.
    public struct Status: Call {
        public static let method = "supervision.status"
        public static let isIdempotent = true
        public typealias Reply = Report

        public init() {}
    }

    /// One more router beside the running ones; answered when it takes requests, or after 10 s with another state than
    /// `running`. Fails with `refused` when there are 64, or everything is being stopped.
    public struct AddRouter: Call {
        public static let method = "supervision.add_router"
        public static let isIdempotent = false
        public typealias Reply = Child

        public init() {}
    }

    /// Lets a router finish its streams and leave; answered as soon as it has been told. It is not started again. Fails with
    /// `not_found`, and with `refused` for the only router that takes requests.
    public struct DrainRouter: Call {
        public static let method = "supervision.drain_router"
        public static let isIdempotent = true
        public typealias Reply = Child

        public var instance: InstanceID

        public init(instance: InstanceID) { self.instance = instance }
    }

    public struct Report: WireValue, Hashable {
        /// In the order in which they were started.
        public var children: [Child]

        public init(children: [Child]) { self.children = children }
    }

    /// A place that is always filled: when its process dies, another instance takes it.
    public struct Child: WireValue, Hashable {
        public var service: ServiceName
        /// Of the current process; of the last one while there is none.
        public var instance: InstanceID
        /// Absent while there is no process.
        public var pid: Int32?
        public var restarts: Int
        public var state: State

        public init(service: ServiceName, instance: InstanceID, pid: Int32?, restarts: Int, state: State) {
            self.service = service
            self.instance = instance
            self.pid = pid
            self.restarts = restarts
            self.state = state
        }

        public struct State: Identifier {
            public let rawValue: String
            public init(rawValue: String) { self.rawValue = rawValue }

            /// Has not answered yet.
            public static let starting = State("starting")
            public static let running = State("running")
            /// Died; will be started again after a pause.
            public static let waiting = State("waiting")
            /// Finishes its streams, takes no new ones, and leaves.
            public static let draining = State("draining")
            public static let stopped = State("stopped")
        }
    }
}
