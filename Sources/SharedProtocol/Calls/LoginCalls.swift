/// Logging in with an identity provider: OpenID Connect's authorization code flow. Web sends the browser there and takes it
/// back; all that has to do with the provider is auth's.
extension Auth {
    /// Begins an attempt to log in. `refused`: no identity provider is configured.
    public struct BeginLogin: Call {
        public static let method = "auth.begin_login"
        public static let isIdempotent = true
        public typealias Reply = LoginBeginning

        /// Where to go after the login: a path of this site.
        public var next: String

        public init(next: String) { self.next = next }
    }

    /// Ends an attempt with what the provider sent the browser back with. Each attempt ends once. `refused`: no identity
    /// provider is configured.
    public struct FinishLogin: Call {
        public static let method = "auth.finish_login"
        public static let isIdempotent = false
        public typealias Reply = LoginEnd

        public var answer: ProviderAnswer
        /// The value of the cookie of this attempt; absent when the browser has none.
        public var cookie: String?
        /// The session that the browser has had so far: it ends when a new one opens.
        public var previous: CredentialHash?
        public var browser: Browser

        public init(answer: ProviderAnswer, cookie: String?, previous: CredentialHash?, browser: Browser) {
            self.answer = answer
            self.cookie = cookie
            self.previous = previous
            self.browser = browser
        }
    }
}

extension Auth {
    public enum LoginBeginning: WireValue, Hashable {
        case begun(LoginAttempt)
        case refused(LoginRefusal)
    }

    public struct LoginAttempt: WireValue, Hashable {
        /// The provider's page, where the browser goes next.
        public var authorizeURL: String
        /// What names the attempt's cookie among those of others, so that several tabs can log in at once.
        public var id: LoginAttemptID
        /// The cookie's value, for this browser alone.
        public var cookie: String

        /// How long a browser may take to come back.
        public static let lifetime = Duration.seconds(600)

        public init(authorizeURL: String, id: LoginAttemptID, cookie: String) {
            self.authorizeURL = authorizeURL
            self.id = id
            self.cookie = cookie
        }
    }

    /// The parameters of the authorization response (RFC 6749, section 4.1.2, and RFC 9207) as the browser brought them.
    public struct ProviderAnswer: WireValue, Hashable {
        public var state: String?
        public var code: String?
        public var error: String?
        public var issuer: String?

        public init(state: String?, code: String?, error: String?, issuer: String?) {
            self.state = state
            self.code = code
            self.error = error
            self.issuer = issuer
        }
    }

    public enum LoginEnd: WireValue, Hashable {
        /// - Parameter next: where the person wanted to go.
        case opened(OpenedSession, next: String)
        /// - Parameter next: where the person wanted to go; absent when that cannot be told.
        case refused(LoginRefusal, next: String?)
    }

    /// Why nobody is logged in.
    public enum LoginRefusal: String, Codable, Sendable, Hashable, CaseIterable {
        // Of the attempt.
        /// The person said no at the provider.
        case cancelled
        /// The provider sent an error back.
        case providerRefused = "provider_refused"
        /// The browser has no cookie of this attempt: it blocks cookies, took too long, or has finished it before.
        case attemptLost = "attempt_lost"
        /// State or cookie are not ours, or not of one attempt.
        case attemptForged = "attempt_forged"
        /// The attempt has come back before.
        case attemptUsed = "attempt_used"
        /// The provider does not take the code: it was used before, or has expired.
        case codeRefused = "code_refused"

        // Of the provider.
        /// Cannot be reached, too slow, or in trouble itself.
        case providerUnavailable = "provider_unavailable"
        /// What it answers is not OpenID Connect, or not what we may use.
        case providerUnusable = "provider_unusable"
        /// It does not accept this site's client id and secret, or the request.
        case clientRefused = "client_refused"

        // Of the ID token.
        /// It has expired, or comes from the future.
        case clockSkew = "clock_skew"
        case wrongIssuer = "wrong_issuer"
        case wrongAudience = "wrong_audience"
        case wrongNonce = "wrong_nonce"
        /// `none`, a symmetric one, or one that we do not know.
        case algorithmNotAllowed = "algorithm_not_allowed"
        case unknownKey = "unknown_key"
        case badSignature = "bad_signature"
        /// The userinfo is about somebody else.
        case wrongSubject = "wrong_subject"

        // Of the person.
        case emailMissing = "email_missing"
        case emailUnverified = "email_unverified"
        /// The address belongs to another identity.
        case emailTaken = "email_taken"
        /// Not one of the institutions of `oauth2.params.idphint`.
        case institutionNotAllowed = "institution_not_allowed"
        case accountDisabled = "account_disabled"
    }
}

/// Tells the attempts of one browser apart; no secret.
public struct LoginAttemptID: Identifier {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    private static let length = 8

    /// The attempt that a state belongs to; nil for what cannot be one of ours.
    public init?(state: String) {
        let id = state.prefix(Self.length)
        guard id.utf8.count == Self.length, id.utf8.allSatisfy(Self.isAlphanumeric) else { return nil }
        self.init(rawValue: String(id))
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        0x30...0x39 ~= byte || 0x41...0x5A ~= byte || 0x61...0x7A ~= byte
    }
}
