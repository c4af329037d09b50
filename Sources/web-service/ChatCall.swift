import Logging
import NIOCore
import SharedProtocol

/// The life of one model request, from the caller's key to the settled bill. The browser's chat and every `/v1` route go
/// through here.
///
/// 1. whoever calls has been told apart: a `Requester`;
/// 2. `admit`: the rate limit, always before money;
/// 3. the model is looked up, and whether the key may use it;
/// 4. the ledger reserves the most that the request can cost, or refuses;
/// 5. a router finds a backend; with its first event the client's answer begins: an `Answer`;
/// 6. the answer's end, whatever it is, is billed or the reservation given back, once, durably, before the client sees it.
struct ChatCall: Sendable {
    /// The ledger may let a reserve wait for 2 s; this leaves it as long again to answer.
    static let reserveTimeout = Duration.seconds(4)

    let owner: InstanceID
    let configuration: ConfigurationWatcher
    let limiter: RateLimiter
    let ledger: any Caller
    let routers: RouterPool
    let settler: Settler
    let live: LiveRequests
    let running: RunningRequests
    /// Where tasks run that are nobody's children.
    let executor: EventLoopExecutor
    private static let log = Logger(label: "call")

    /// Step 2: counts a request against its user's rate limit. Throws `rateLimited`. The chat's requests have been counted
    /// when they get here: see `Site.admitted`.
    func admit(_ requester: Requester) async throws(APIError) -> RateLimitStanding {
        let standing = await limiter.admit(
            requester.person.id, requester.source, configuration.current.rateLimiting.limits)
        if standing.isRefused {
            var error = APIError.rateLimited(retryAfter: standing.resetSeconds)
            error.standing = standing
            throw error
        }
        return standing
    }

    /// Steps 3 to 5. Returns when the first event is there; throws, with nothing billed, when there will be none.
    ///
    /// - Parameter run: by which it can be ended at any time.
    func begin(
        _ request: ModelRequest, by requester: Requester, as id: RequestID = .random(), _ run: RunningRequest? = nil
    ) async throws(APIError) -> Answer {
        let run = run ?? running.enter(requester)
        // A task of its own, so that whatever ends the request can cancel it: the backend hears of it within 100 ms.
        let beginning = Task(executorPreference: executor) { () async -> Result<Answer, APIError> in
            do throws(APIError) {
                return .success(try await open(request, by: requester, as: id, run))
            } catch {
                return .failure(error)
            }
        }
        run.onEnd { beginning.cancel() }
        let answer = await withTaskCancellationHandler {
            await beginning.value
        } onCancel: {
            beginning.cancel()
        }
        do throws(APIError) {
            let answer = try answer.get()
            run.onEnd { [weak answer] in answer?.stop() }
            return answer
        } catch {
            throw run.failure ?? error
        }
    }

    private func open(
        _ request: ModelRequest, by requester: Requester, as id: RequestID, _ run: RunningRequest
    ) async throws(APIError) -> Answer {
        let started = Answer.Start()
        let configuration = configuration.current
        guard let model = configuration.model(request.model), model.isActive else {
            throw .modelNotFound(request.model)
        }
        guard requester.mayUse(model.name) else { throw .modelNotAllowed(model.name) }
        let grant = try await reserve(request, model, requester, id)
        let bill = Bill(
            request: id, requester: requester, model: model.name, prompt: request.prompt.unreported, started: started,
            settler: settler, live: live, executor: executor)
        // No router has it yet, so nothing can have been produced for it.
        if run.hasEnded {
            await bill.void()
            throw .cancelled
        }
        do {
            let stream = try await routers.open(
                completion(request, limit: grant.outputLimit), body: request.body, request: id,
                timeout: configuration.routing.total)
            let answer = Answer(stream, bill, grant, asked: request.outputLimit(for: model), run)
            if let failure = await answer.failureBeforeAnyEvent() { throw APIError.upstream(failure) }
            return answer
        } catch let error as APIError {
            throw error
        } catch {
            await bill.void()
            Self.log.warning("no router could be reached", metadata: ["request_id": "\(id)", "error": "\(error)"])
            throw .unavailable("The models cannot be reached right now.")
        }
    }

    /// Step 4. A reserve whose answer did not come may have been granted all the same: it is voided.
    private func reserve(
        _ request: ModelRequest, _ model: ModelConfiguration, _ requester: Requester, _ id: RequestID
    ) async throws(APIError) -> Ledger.Grant {
        let reserve = Ledger.Reserve(
            request: id, owner: owner, account: Ledger.Account(requester.person), key: requester.key,
            keyCap: requester.keyCap, source: requester.source, model: model.name,
            promptBound: request.prompt.bound(for: model), outputs: request.outputs,
            outputLimit: request.outputLimit(for: model))
        let decision: Ledger.Decision
        do {
            decision = try await ledger.call(reserve, request: id, timeout: Self.reserveTimeout)
        } catch {
            Self.log.warning("no reservation", metadata: ["request_id": "\(id)", "code": "\(error.code)"])
            if error.code != .unavailable {
                // Not awaited: the ledger is not answering, and the client has waited long enough.
                Task(executorPreference: executor) { await settler.void(id) }
            }
            throw .unavailable("The token budget cannot be checked right now.")
        }
        switch decision {
        case .granted(let grant):
            live.began(reserve, grant, prompt: request.prompt.unreported)
            return grant
        case .refused(let refusal): throw .refused(refusal, model.name)
        }
    }

    private func completion(_ request: ModelRequest, limit: TokenCount) -> Router.Complete {
        Router.Complete(
            model: request.model, operation: request.operation, isStream: request.isStream,
            outputLimit: request.outputs == 0 ? nil : limit, outputLimitField: request.limitField,
            relaysUsage: request.wantsUsage)
    }
}

/// Who asks, and by which way.
struct Requester: Sendable {
    var person: Auth.Person
    var key: KeyID?
    /// All that the key may ever spend.
    var keyCap: TokenCount?
    /// When the key ends.
    var expires: Timestamp?
    /// The only models that the key may use.
    var models: [ModelName]?
    /// The revocation revision at which this was known; 0: none of those that there are.
    var revision: Int64 = 0
    var source: Ledger.Source

    func mayUse(_ model: ModelName) -> Bool { models?.contains(model) ?? true }
}

extension Requester {
    /// Who presents an API key.
    init(_ holder: Auth.KeyHolder) {
        self.init(
            person: holder.person, key: holder.key, keyCap: holder.cap, expires: holder.expires, models: holder.models,
            revision: holder.revision, source: .api)
    }
}
