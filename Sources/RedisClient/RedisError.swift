/// Why Redis did not say what was asked.
public enum RedisError: Error, Sendable, Hashable, CustomStringConvertible {
    /// No answer within `RedisClient.answerLimit`. The script may run all the same.
    case timedOut
    /// There is no connection that can be used. The reason is absent while the first one is still being made.
    case away(String?)
    /// As much as is allowed waits for answers already.
    case overloaded
    /// Redis answered with an error: it is full, read-only, loading …
    case refused(String)
    /// The process is out of descriptors or threads.
    case cannotStart(String)

    /// For a log: no secret, and no more than a line.
    public var description: String {
        switch self {
        case .timedOut: "it does not answer in time"
        case .away(let reason): reason ?? "no connection yet"
        case .overloaded: "too many requests wait for its answers"
        case .refused(let message): message
        case .cannotStart(let what): "it cannot be started: \(what)"
        }
    }
}
