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
        _ call: Router.Complete, _ body: CallBody, _ context: CallContext, _ events: EventSink
    ) async throws(CallError) -> Router.Completion {
        let course = try begin(call, body, context)
        if drain.isDraining { course.refuse() } else { await follow(course, context, events) }
        return end(course, context)
    }
}

extension Completions {
    @inline(never)
    private func begin(
        _ call: Router.Complete, _ body: CallBody, _ context: CallContext
    ) throws(CallError) -> Course {
        guard Self.operations.contains(call.operation) else {
            throw CallError(.invalidParams, "there is no operation \(call.operation)")
        }
        return try Course(call, body.take(), within: totalTimeout(), until: context.deadline)
    }

    @inline(never)
    private func follow(_ course: Course, _ context: CallContext, _ events: EventSink) async {
        while let attempt = await next(in: course, events) {
            do throws(AttemptError) {
                try await attempt.run()
                end(attempt, of: course, nil, context)
            } catch {
                end(attempt, of: course, error, context)
            }
        }
    }

    /// Waits for room at an endpoint.
    @inline(never)
    private func next(in course: Course, _ events: EventSink) async -> Attempt? {
        guard course.mayTry else { return nil }
        let selection = await directory.select(course.call.model, excluding: course.tried, until: course.deadline)
        guard case .chosen(let choice) = selection else {
            course.end(without: selection)
            return nil
        }
        return attempt(choice, of: course, events)
    }

    @inline(never)
    private func attempt(_ choice: EndpointDirectory.Choice, of course: Course, _ events: EventSink) -> Attempt {
        course.begin(choice.endpoint)
        let (model, tried) = (course.call.model, course.tried)
        return Attempt(choice, course, client, events) { [directory] in
            tried.count < Self.attemptLimit && directory.hasRoom(model, excluding: tried)
        }
    }

    @inline(never)
    private func end(_ attempt: Attempt, of course: Course, _ error: AttemptError?, _ context: CallContext) {
        course.end(attempt, error)
        directory.release(attempt.choice)
        logFailedAttempt(course, context)
    }

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
        if course.isRefused { return Router.Completion(failure: .draining) }
        let completion = course.completion
        var metadata: Logger.Metadata = [
            "request_id": "\(context.request?.rawValue ?? "")", "model": "\(course.call.model)",
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
        return completion
    }
}
