import HTTPClient
import Logging
import NIOCore
import SharedProtocol

/// Answers `Router.Complete`: gives the request to one endpoint after the other until one of them has answered or
/// something of an answer has reached the caller.
struct Completions: Sendable {
    /// Endpoints that one request may be given to.
    static let attemptLimit = 3
    /// The paths that requests may go to.
    static let operations: Set<Router.Operation> = [.chatCompletions, .completions, .embeddings]

    let directory: EndpointDirectory
    let client: HTTPClient
    let drain: Drain
    /// `routing.total_timeout` of the configuration in force.
    let totalTimeout: @Sendable () -> Duration
    private let log = Logger(label: "completions")

    init(
        _ directory: EndpointDirectory, _ client: HTTPClient, _ drain: Drain,
        totalTimeout: @escaping @Sendable () -> Duration
    ) {
        self.directory = directory
        self.client = client
        self.drain = drain
        self.totalTimeout = totalTimeout
    }

    /// Throws `invalidParams` only; whatever a backend does is part of the reply.
    func complete(
        _ call: Router.Complete, _ body: ByteBuffer?, _ context: CallContext, _ events: EventSink
    ) async throws(CallError) -> Router.Completion {
        guard Self.operations.contains(call.operation) else {
            throw CallError(.invalidParams, "there is no operation \(call.operation)")
        }
        let body = try RequestBody(body, of: call)
        if drain.isDraining { return Router.Completion(failure: .draining) }
        var course = Course()
        let deadline = min(context.deadline, course.started + totalTimeout().timeAmount)
        while course.mayTry {
            let selection = await directory.select(call.model, excluding: course.tried, until: deadline)
            guard case .chosen(let choice) = selection else {
                course.end(without: selection)
                break
            }
            let tried = course.tried + [choice.endpoint]
            let attempt = Attempt(endpoint: choice.endpoint, call: call, client: client, events: events) {
                tried.count < Self.attemptLimit && directory.hasRoom(call.model, excluding: tried)
            }
            await course.follow(attempt, choice, body, until: deadline)
            directory.release(choice)
            logFailedAttempt(course, context)
        }
        let completion = course.completion
        logEnd(call, completion, course, context)
        return completion
    }
}

extension Completions {
    private func logFailedAttempt(_ course: Course, _ context: CallContext) {
        guard let failure = course.failures.last, let endpoint = course.tried.last, course.mayTry else { return }
        log.notice(
            "an endpoint failed",
            metadata: [
                "request_id": "\(context.request?.rawValue ?? "")", "model": "\(endpoint.model)",
                "endpoint": "\(endpoint.configuration.url)", "detail": "\(failure.detail)",
            ])
    }

    private func logEnd(
        _ call: Router.Complete, _ completion: Router.Completion, _ course: Course, _ context: CallContext
    ) {
        var metadata: Logger.Metadata = [
            "request_id": "\(context.request?.rawValue ?? "")", "model": "\(call.model)",
            "outcome": "\(completion.failure?.kind.rawValue ?? (completion.isCancelled ? "cancelled" : "completed"))",
            "ms": .stringConvertible((NIODeadline.now() - course.started).nanoseconds / 1_000_000),
            "attempts": .stringConvertible(course.tried.count),
        ]
        if let endpoint = completion.endpoint { metadata["endpoint"] = "\(endpoint)" }
        var level = Logger.Level.info
        if completion.failure != nil {
            if let failure = course.failures.last { metadata["detail"] = "\(failure.detail)" }
            level = course.failures.contains(where: \.isOperatorsError) ? .error : .warning
        }
        log.log(level: level, "completion", metadata: metadata)
    }
}
