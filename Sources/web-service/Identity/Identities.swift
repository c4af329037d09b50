import Logging
import NIOConcurrencyHelpers
import NIOCore
import ServiceLifecycle
import SharedProtocol

/// Who presents an API key: answered from memory while that is safe, else by auth. A revocation counts within a second:
/// auth sends its revision every 300 ms and at each change, and nothing that was read at an older one is used. When auth is
/// silent, every answer is asked for again; only while it cannot be reached at all, what is remembered goes on for 30 s.
final class Identities: ServiceLifecycle.Service {
    static let maximumAge = TimeAmount.seconds(30)
    /// Auth's silence after which nothing remembered is taken for current.
    static let silenceLimit = TimeAmount.milliseconds(900)
    /// Key holders that are remembered; beyond, all are forgotten and asked for anew.
    static let cacheLimit = 20_000
    static let callTimeout = Duration.seconds(2)
    /// How often auth is asked for one request, while its answers are overtaken by what it announces.
    static let mostQuestions = 5

    private struct Entry {
        var holder: Auth.KeyHolder
        var read: NIODeadline
    }

    private struct State {
        var entries: [CredentialHash: Entry] = [:]
        var revision: Int64 = 0
        var lastHeard = NIODeadline.uptimeNanoseconds(0)
    }

    private let auth: any Caller
    private let configuration: ConfigurationWatcher
    private let failures: AddressLimiter
    private let uptime: @Sendable () -> NIODeadline
    private let clock: @Sendable () -> Timestamp
    private let onRevision: @Sendable (Int64) -> Void
    private let state = NIOLockedValueBox(State())
    private let log = Logger(label: "identities")

    /// - Parameters:
    ///   - failures: where keys that are not valid are counted.
    ///   - onRevision: called with each revision that auth announces, once it counts here.
    init(
        auth: any Caller, configuration: ConfigurationWatcher, failures: AddressLimiter,
        uptime: @escaping @Sendable () -> NIODeadline = NIODeadline.now,
        clock: @escaping @Sendable () -> Timestamp = Timestamp.now,
        onRevision: @escaping @Sendable (Int64) -> Void = { _ in }
    ) {
        self.auth = auth
        self.configuration = configuration
        self.failures = failures
        self.uptime = uptime
        self.clock = clock
        self.onRevision = onRevision
    }

    /// The holder of the key. Throws `invalidKey`, `accountDisabled`, or that it cannot be told. From an address with too
    /// many failures only a key that was valid when it was last looked at is looked at again; others get
    /// `rate_limit_exceeded`.
    func holder(
        of secret: String, request: RequestID, from client: () -> IPAddress?
    ) async throws(APIError) -> Auth.KeyHolder {
        let hash = CredentialHash(of: secret, under: configuration.current.app.encryptionKey.reveal())
        let now = uptime()
        let (entry, isCurrent) = state.withLockedValue { state -> (Entry?, Bool) in
            guard let entry = state.entries[hash] else { return (nil, false) }
            let isCurrent = entry.holder.revision >= state.revision && now - state.lastHeard < Self.silenceLimit
            return (entry, isCurrent)
        }
        if let remembered = young(entry), isCurrent { return try unexpired(remembered) }
        let client = client()
        if entry == nil, let seconds = failures.refusal(for: client) { throw .tooManyFailures(retryAfter: seconds) }
        do {
            return try await ask(hash, request, at: now)
        } catch {
            if error.code == .unauthenticated { failures.failed(from: client) }
            return try holder(whenAuthFails: error, young(entry), hash)
        }
    }

    /// What is remembered, unless it is too old by now: to wait for auth takes time, too.
    private func young(_ entry: Entry?) -> Auth.KeyHolder? {
        entry.flatMap { uptime() - $0.read < Self.maximumAge ? $0.holder : nil }
    }

    /// Asks auth, again when a revision was announced that the answer does not know yet.
    private func ask(
        _ hash: CredentialHash, _ request: RequestID, at now: NIODeadline
    ) async throws(CallError) -> Auth.KeyHolder {
        for _ in 0..<Self.mostQuestions {
            let holder = try await auth.call(Auth.Authenticate(key: hash), request: request, timeout: Self.callTimeout)
            if remember(hash, holder, read: now) { return holder }
        }
        throw CallError(.busy, "Access is being taken away faster than it can be looked at.")
    }

    /// Expiry needs no word of auth's.
    private func unexpired(_ holder: Auth.KeyHolder) throws(APIError) -> Auth.KeyHolder {
        if let expires = holder.expires, expires <= clock() { throw .invalidKey }
        return holder
    }

    /// What a client gets whose credential is none at all: counted like any that is not valid.
    func refuse(_ client: IPAddress?) -> APIError {
        if let seconds = failures.refusal(for: client) { return .tooManyFailures(retryAfter: seconds) }
        failures.failed(from: client)
        return .invalidKey
    }

    private func holder(
        whenAuthFails error: CallError, _ remembered: Auth.KeyHolder?, _ hash: CredentialHash
    ) throws(APIError) -> Auth.KeyHolder {
        switch error.code {
        case .unauthenticated, .accountDisabled:
            state.withLockedValue { $0.entries[hash] = nil }
            throw error.code == .accountDisabled ? .accountDisabled : .invalidKey
        default:
            if let remembered, state.withLockedValue({ remembered.revision >= $0.revision }) {
                return try unexpired(remembered)
            }
            log.warning("auth could not be asked", metadata: ["code": "\(error.code)"])
            throw .unavailable("Your key cannot be checked right now.")
        }
    }

    /// - Returns: false when the answer was on its way while a revocation was announced: it counts for nothing.
    private func remember(_ hash: CredentialHash, _ holder: Auth.KeyHolder, read: NIODeadline) -> Bool {
        state.withLockedValue { state in
            guard holder.revision >= state.revision else { return false }
            if state.entries.count >= Self.cacheLimit { state.entries = [:] }
            state.entries[hash] = Entry(holder: holder, read: read)
            return true
        }
    }

    /// Follows auth's revocations until shutdown.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await self.follow()
                try? await Task.sleep(for: .milliseconds(100))
            }
        }
    }

    private func follow() async {
        do {
            let stream = try await auth.open(
                Auth.FollowRevocations(), body: nil, request: nil, timeout: .seconds(86_400))
            try await withTaskCancellationHandler {
                while case let events = try await stream.next(), !events.isEmpty { heard(events) }
            } onCancel: {
                stream.cancel()
            }
        } catch {
            log.debug("auth's revocations cannot be followed", metadata: ["error": "\(error)"])
        }
    }

    private func heard(_ events: [ByteBuffer]) {
        heard(events.compactMap { try? $0.decodeJSON(Auth.Revision.self).revision }.max() ?? 0)
    }

    /// Auth lives, and this is its revision.
    func heard(_ revision: Int64) {
        let now = uptime()
        state.withLockedValue { state in
            state.revision = max(state.revision, revision)
            state.lastHeard = now
        }
        onRevision(revision)
    }
}
