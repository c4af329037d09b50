/// What router-service answers: it sends a request to one of a model's backends and relays what comes back.
public enum Router {
    /// Sends the body, a JSON object *without* the members `model` and the output limit, which the router puts in for the
    /// endpoint that it chooses. Events: a streaming backend's SSE events, or one event, the whole reply, of another;
    /// each with the public model name at its top level again. The reply comes after the last event. Cancelling it is
    /// answered within 50 ms with what had been counted.
    public struct Complete: StreamingCall {
        public static let method = "router.complete"
        public typealias Reply = Completion

        public var model: ModelName
        public var operation: Operation
        /// Whether the client asked for a stream, and so whether the body does.
        public var isStream: Bool
        /// Tokens per output; absent for embeddings.
        public var outputLimit: TokenCount?
        /// The field in which the client named its limit; absent: the endpoint's `output_limit_field`.
        public var outputLimitField: String?
        /// Whether the client asked for the usage event of a stream; else it is counted and not relayed.
        public var relaysUsage: Bool

        public init(
            model: ModelName, operation: Operation, isStream: Bool, outputLimit: TokenCount?,
            outputLimitField: String?, relaysUsage: Bool
        ) {
            self.model = model
            self.operation = operation
            self.isStream = isStream
            self.outputLimit = outputLimit
            self.outputLimitField = outputLimitField
            self.relaysUsage = relaysUsage
        }
    }

    /// The health of every endpoint that this instance knows. Answered from memory.
    public struct Endpoints: Call {
        public static let method = "router.endpoints"
        public static let isIdempotent = true
        public typealias Reply = [EndpointHealth]

        public init() {}
    }
}

extension Router {
    /// A path below an endpoint's URL.
    public struct Operation: Identifier {
        public let rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }

        public static let chatCompletions = Operation("chat/completions")
        public static let completions = Operation("completions")
        public static let embeddings = Operation("embeddings")
    }

    /// How a completion ended, and all that its bill needs.
    public struct Completion: WireValue, Hashable {
        /// Absent when the backend's answer came whole.
        public var failure: Failure?
        /// Ended early because the caller asked for it.
        public var isCancelled: Bool
        /// The endpoint's URL, for the operator's eyes; absent when none was reached.
        public var endpoint: String?
        /// What the backend reported; absent when it reported nothing usable.
        public var usage: ReportedUsage?
        /// Events (or 1 for a whole reply) that carried text, reasoning or tool arguments.
        public var contentEvents: Int64
        /// Bytes of text, reasoning and tool arguments, JSON escapes as written.
        public var contentBytes: Int64

        public init(
            failure: Failure? = nil, isCancelled: Bool = false, endpoint: String? = nil, usage: ReportedUsage? = nil,
            contentEvents: Int64 = 0, contentBytes: Int64 = 0
        ) {
            self.failure = failure
            self.isCancelled = isCancelled
            self.endpoint = endpoint
            self.usage = usage
            self.contentEvents = contentEvents
            self.contentBytes = contentBytes
        }
    }

    public struct ReportedUsage: WireValue, Hashable {
        public var prompt: TokenCount
        public var completion: TokenCount

        public init(prompt: TokenCount, completion: TokenCount) {
            self.prompt = prompt
            self.completion = completion
        }
    }

    public struct Failure: WireValue, Hashable {
        public var kind: Kind
        /// What the client may read: the backend's own words for `rejected`, else a general sentence.
        public var message: String
        /// The backend's status, for `rejected`.
        public var status: Int?
        /// The backend's error `code`, `type` and `param`, for `rejected`.
        public var code: String?
        public var type: String?
        public var param: String?
        /// When it makes sense to try again, in milliseconds.
        public var retryAfterMs: Int64?

        public init(
            _ kind: Kind, _ message: String, status: Int? = nil, code: String? = nil, type: String? = nil,
            param: String? = nil, retryAfterMs: Int64? = nil
        ) {
            self.kind = kind
            self.message = message
            self.status = status
            self.code = code
            self.type = type
            self.param = param
            self.retryAfterMs = retryAfterMs
        }

        public struct Kind: Identifier {
            public let rawValue: String
            public init(rawValue: String) { self.rawValue = rawValue }

            /// The backend refused the request itself (400, 413, 415, 422): passed on.
            public static let rejected = Kind("rejected")
            /// Every endpoint that was tried answered 429.
            public static let rateLimited = Kind("rate_limited")
            public static let noHealthyEndpoint = Kind("no_healthy_endpoint")
            /// A wrong status, broken JSON, a wrong content type, a dropped connection, an over-long reply.
            public static let upstream = Kind("upstream")
            public static let timeout = Kind("timeout")
            /// This router is stopping and takes no new requests.
            public static let draining = Kind("draining")
        }
    }

    public struct EndpointHealth: WireValue, Hashable {
        public var model: ModelName
        /// Of several endpoints with one URL, each has its own row.
        public var url: String
        public var isHealthy: Bool
        /// Why it is out, or what the last probe said.
        public var detail: String
        public var inFlight: Int
        public var lastProbe: Timestamp?

        public init(
            model: ModelName, url: String, isHealthy: Bool, detail: String, inFlight: Int, lastProbe: Timestamp?
        ) {
            self.model = model
            self.url = url
            self.isHealthy = isHealthy
            self.detail = detail
            self.inFlight = inFlight
            self.lastProbe = lastProbe
        }
    }
}
