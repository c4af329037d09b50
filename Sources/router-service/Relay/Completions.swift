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
    private static let refusal = Router.Completion(failure: .draining)

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
        let course = try begin(call, body, context)
        if drain.isDraining { return Self.refusal }
        while let attempt = next(in: course, events) {
            do throws(AttemptError) {
                try await attempt.run(course.body, until: course.deadline)
                course.end(attempt, nil)
            } catch {
                course.end(attempt, error)
                logFailedAttempt(course, context)
            }
        }
        return end(course, context)
    }
}

extension Completions {
    @inline(never)
    private func begin(
        _ call: Router.Complete, _ body: ByteBuffer?, _ context: CallContext
    ) throws(CallError) -> Course {
        guard Self.operations.contains(call.operation) else {
            throw CallError(.invalidParams, "there is no operation \(call.operation)")
        }
        return try Course(call, body, within: totalTimeout(), until: context.deadline)
    }

    @inline(never)
    private func next(in course: Course, _ events: EventSink) -> Attempt? {
        guard course.mayTry, let choice = directory.choose(course.call.model, excluding: course.tried) else {
            return nil
        }
        let attempt = Attempt(choice, course.call, client, events)
        course.begin(attempt)
        return attempt
    }

    @inline(never)
    private func logFailedAttempt(_ course: Course, _ context: CallContext) {
        guard let failure = course.failures.last, let endpoint = course.tried.last, course.mayTry else { return }
        log.notice(
            "an endpoint failed",
            metadata: [
                "request_id": "\(context.request?.rawValue ?? "")", "model": "\(endpoint.model)",
                "endpoint": "\(endpoint.configuration.url)", "detail": "\(failure.detail)",
            ])
    }

    @inline(never)
    private func end(_ course: Course, _ context: CallContext) -> Router.Completion {
        let completion = course.completion
        var metadata: Logger.Metadata = [
            "request_id": "\(context.request?.rawValue ?? "")", "model": "\(course.call.model)",
            "outcome": "\(completion.failure?.kind.rawValue ?? (completion.isCancelled ? "cancelled" : "completed"))",
            "ms": .stringConvertible((NIODeadline.now() - course.started).nanoseconds / 1_000_000),
            "attempts": .stringConvertible(course.tried.count),
        ]
        if let endpoint = completion.endpoint { metadata["endpoint"] = "\(endpoint)" }
        if completion.failure != nil, let failure = course.failures.last { metadata["detail"] = "\(failure.detail)" }
        log.log(level: completion.failure == nil ? .info : .warning, "completion", metadata: metadata)
        return completion
    }
}
