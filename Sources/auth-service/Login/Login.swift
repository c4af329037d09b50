import HTTPClient
import Logging
import NIOConcurrencyHelpers
import SharedProtocol
import Storage

/// Logging in with the identity provider. Everything is checked before anybody is let in; why somebody is not, they are told,
/// and the log says it to the operator without a token, code or state.
struct Login: Sendable {
    private let people: LoginStore
    private let configuration: @Sendable () -> LumenConfiguration
    private let clock: @Sendable () -> Timestamp
    private let logger: Logger
    private let provider = NIOLockedValueBox<OpenIDProvider?>(nil)

    /// Bytes of a code that is passed on.
    private static let longestCode = 4096

    init(
        _ people: LoginStore, configuration: @escaping @Sendable () -> LumenConfiguration,
        clock: @escaping @Sendable () -> Timestamp, logger: Logger
    ) {
        self.people = people
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
    }

    /// What is in force, and the provider that it names.
    private struct Setting {
        let oauth2: OAuth2Configuration
        let key: LoginKey
        let provider: OpenIDProvider
    }

    /// Sends a browser to the provider.
    func begin(_ call: Auth.BeginLogin, _ request: RequestID?) async throws(CallError) -> Auth.LoginBeginning {
        let setting = try setting()
        let attempt = LoginAttempt(next: call.next, at: clock(), setting.key)
        guard let id = attempt.id else { preconditionFailure("a state of ours begins with its id") }
        do throws(LoginProblem) {
            let endpoint = try await setting.provider.metadata().authorizationEndpoint
            let url = AuthorizationURL.text(attempt, setting.key, setting.oauth2, endpoint: endpoint)
            return .begun(Auth.LoginAttempt(authorizeURL: url, id: id, cookie: attempt.cookie(setting.key)))
        } catch {
            log(error, request)
            return .refused(error.refusal)
        }
    }

    /// Takes a browser back from the provider.
    func finish(_ call: Auth.FinishLogin, _ request: RequestID?) async throws(CallError) -> Auth.LoginEnd {
        let setting = try setting()
        let attempt: LoginAttempt
        do {
            attempt = try await self.attempt(call, setting.key)
        } catch {
            return try refusal(error, next: nil, request)
        }
        do {
            let person = try await person(call.answer, attempt, setting)
            let new = NewSession(call.browser, replacing: call.previous, configuration(), at: clock())
            return .opened(try await people.open(new, for: person, request), next: attempt.next)
        } catch {
            return try refusal(error, next: attempt.next, request)
        }
    }

    /// The attempt that comes back, if it is one of this browser.
    private func attempt(_ call: Auth.FinishLogin, _ key: LoginKey) async throws -> LoginAttempt {
        guard let state = call.answer.state, LoginAttempt.isOurs(state: state, key) else {
            throw LoginProblem(.attemptForged, "the state is not one of ours")
        }
        guard let cookie = call.cookie else {
            // The cookie of an attempt is gone once it has come back.
            if try await people.isUsed(state, key) {
                throw LoginProblem(.attemptUsed, "the attempt has come back before")
            }
            throw LoginProblem(.attemptLost, "the browser has no cookie of the attempt")
        }
        guard let attempt = LoginAttempt(cookie: cookie, key), attempt.state == state else {
            throw LoginProblem(.attemptForged, "the cookie is not one of ours, or of another attempt")
        }
        guard attempt.expires > clock() else { throw LoginProblem(.attemptLost, "the attempt took too long") }
        return attempt
    }

    /// Whom the provider vouches for. The attempt is used up before the code is, so that neither is ever used twice.
    private func person(
        _ answer: Auth.ProviderAnswer, _ attempt: LoginAttempt, _ setting: Setting
    ) async throws -> VerifiedPerson {
        let (oauth2, key, provider) = (setting.oauth2, setting.key, setting.provider)
        let issuer = try await provider.metadata().issuer
        let code = try Self.code(in: answer, issuer: issuer)
        guard try await people.use(attempt, key, at: clock()) else {
            throw LoginProblem(.attemptUsed, "the attempt has come back before")
        }
        let tokens = try await provider.tokens(for: code, verifier: attempt.verifier(key), oauth2)
        let header = try IDTokenVerifier.header(of: tokens.idToken)
        let verifier = IDTokenVerifier(issuer: issuer, clientID: oauth2.clientID, nonce: attempt.nonce(key))
        let claims = try await verifier.claims(
            of: tokens.idToken, header, key: try await provider.key(header), at: clock())
        let more = try await provider.userinfo(accessToken: tokens.accessToken, subject: claims.subject)
        return try VerifiedPerson(
            Auth.Identity(issuer: issuer, subject: claims.subject),
            more.map { claims.person.completed(by: $0) } ?? claims.person, hints: oauth2.hintedInstitutions)
    }

    private static func code(in answer: Auth.ProviderAnswer, issuer: String) throws(LoginProblem) -> String {
        if let said = answer.issuer, said != issuer {
            throw LoginProblem(.wrongIssuer, "the answer comes from another issuer")
        }
        switch answer.error {
        case nil: break
        case "access_denied": throw LoginProblem(.cancelled, "access_denied")
        case let error?:
            throw LoginProblem(.providerRefused, Self.isErrorCode(error) ? error : "an error without a name")
        }
        guard let code = answer.code, 1...longestCode ~= code.utf8.count else {
            throw LoginProblem(.providerUnusable, "the answer has neither a code nor an error")
        }
        return code
    }

    /// What a visitor's address bar says goes into the log only when it looks like the codes of RFC 6749.
    private static func isErrorCode(_ text: String) -> Bool {
        1...40 ~= text.utf8.count && text.utf8.allSatisfy { 0x61...0x7A ~= $0 || $0 == UInt8(ascii: "_") }
    }
}

extension Login {
    private func setting() throws(CallError) -> Setting {
        let configuration = configuration()
        guard let oauth2 = configuration.oauth2 else {
            throw CallError(.refused, "Logging in with an identity provider is not configured.")
        }
        return Setting(
            oauth2: oauth2, key: LoginKey(configuration.app.secretKey.reveal()),
            provider: try provider(at: oauth2.serverMetadataURL, isDebugging: configuration.app.debug))
    }

    /// Made when somebody first logs in, and again when the configuration names another one.
    private func provider(at address: WebAddress, isDebugging: Bool) throws(CallError) -> OpenIDProvider {
        do {
            return try provider.withLockedValue { provider in
                if let provider, provider.address == address { return provider }
                let new = OpenIDProvider(
                    at: address, isDebugging: isDebugging, http: try HTTPClient(), clock: clock)
                provider = new
                return new
            }
        } catch {
            throw CallError(.internalError, "\(error)")
        }
    }

    /// What is said of an error; one that is no refusal is thrown.
    private func refusal(_ error: any Error, next: String?, _ request: RequestID?) throws(CallError) -> Auth.LoginEnd {
        switch error {
        case let problem as LoginProblem:
            log(problem, request)
            return .refused(problem.refusal, next: next)
        case let error as CallError: throw error
        default: throw CallError(.internalError, "a login failed with a \(type(of: error))")
        }
    }

    private func log(_ problem: LoginProblem, _ request: RequestID?) {
        var metadata: Logger.Metadata = ["refusal": "\(problem.refusal.rawValue)", "reason": "\(problem.detail)"]
        metadata["request_id"] = request.map { .string($0.rawValue) }
        logger.log(level: problem.refusal.isOperatorsBusiness ? .warning : .info, "login refused", metadata: metadata)
    }
}

extension Auth.LoginRefusal {
    /// Whether the fault is likely the site's or the provider's, so that somebody should look.
    fileprivate var isOperatorsBusiness: Bool {
        switch self {
        case .cancelled, .attemptLost, .attemptForged, .attemptUsed, .emailMissing, .emailUnverified, .emailTaken,
            .institutionNotAllowed, .accountDisabled:
            false
        default: true
        }
    }
}
