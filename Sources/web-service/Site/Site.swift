import HTTPTypes
import Hummingbird
import Logging
import SharedProtocol

/// What a browser sees of Lumen: the parts that its pages are made of. The routes are in `Site+Routes.swift`.
struct Site: Sendable {
    let configuration: @Sendable () -> LumenConfiguration
    let auth: any Caller
    let ledger: any Caller
    /// What the routers say of the endpoints; empty when no router answers.
    let endpoints: @Sendable () async -> [EndpointHealth]
    let desk: AnswerDesk
    let limiter: RateLimiter
    let templates: PageTemplates
    let assets: SiteFiles
    let vendor: SiteFiles
    let origin: WebOrigin
    let cookie: SessionCookie
    let loginCookies: LoginCookies
    /// Counts attempts to log in by address.
    let logins = AddressLimiter { Site.loginLimits }
    let createdKeys = CreatedKeys()
    let logger: Logger

    /// How long a page waits for another service.
    static let callTimeout = Duration.seconds(5)

    /// Reads templates and files. Blocks: for start-up only.
    ///
    /// - Parameter environment: `LUMEN_VENDOR_DIR` says where the browser libraries are, if not beside the executable.
    /// - Throws: a sentence for the operator, when the program's own files are missing.
    init(
        configuration: @escaping @Sendable () -> LumenConfiguration, auth: any Caller, ledger: any Caller,
        endpoints: @escaping @Sendable () async -> [EndpointHealth], desk: AnswerDesk,
        limiter: RateLimiter, environment: [String: String], logger: Logger
    ) throws(SiteFilesMissing) {
        self.configuration = configuration
        self.auth = auth
        self.ledger = ledger
        self.endpoints = endpoints
        self.desk = desk
        self.logger = logger
        self.limiter = limiter
        templates = try PageTemplates(folder: ProgramFolder.resources + "/templates")
        assets = SiteFiles("assets", folder: ProgramFolder.resources + "/static")
        vendor = SiteFiles("vendor", folder: ProgramFolder.vendor(environment: environment))
        origin = configuration().app.publicURL
        cookie = SessionCookie(for: origin)
        loginCookies = LoginCookies(for: origin)
        if vendor.isEmpty {
            logger.warning(
                "The browser libraries are missing: answers are shown as plain text. Run `make setup`.",
                metadata: ["folder": "\(ProgramFolder.vendor(environment: environment))"])
        }
        if !origin.isSecure, !origin.isLoopback {
            logger.warning(
                "The site is plain http: sessions can be read on the way. Set app.public_url to an https address.",
                metadata: ["public_url": "\(origin)"])
        }
    }
}

// Hummingbird has a `Router` and a `RequestID` of its own.
typealias RequestID = SharedProtocol.RequestID
typealias EndpointHealth = SharedProtocol.Router.EndpointHealth

/// Who asks for a page: a request with its person.
struct Visit: Sendable {
    let request: Request
    let parameters: Parameters
    let person: Auth.Person
    /// Found again in the logs of the services that it makes calls of.
    let id: RequestID
    /// The client's address as text; empty when unknown.
    let client: String

    /// Who makes the changes that this request asks for.
    var actor: Auth.Actor { Auth.Actor(user: person.id, email: person.email, address: client) }

    /// Longest form or JSON body of a page, in bytes.
    static let maximumBody = 1_024 * 1_024

    func query(_ name: String) -> String? {
        request.uri.queryParameters[name[...]].map(String.init)
    }

    /// How many entries of a list come before the page that is asked for.
    var offset: Int { query("offset").flatMap { Int($0) }.map { max(0, min($0, Self.largestOffset)) } ?? 0 }

    private static let largestOffset = 1_000_000

    func json<Body: Decodable>(_ type: Body.Type) async throws -> Body {
        try await body().decodeJSON(type)
    }

    func form<Body: Decodable>(_ type: Body.Type) async throws -> Body {
        do {
            return try URLEncodedFormDecoder().decode(type, from: String(buffer: try await body()))
        } catch let problem as PageProblem {
            throw problem
        } catch {
            throw PageProblem(.badRequest, "The form was not understood", "A field is missing, or there twice.")
        }
    }

    private func body() async throws -> ByteBuffer {
        do {
            return try await request.body.collect(upTo: Self.maximumBody)
        } catch {
            throw PageProblem(.contentTooLarge, "Too long", "That is more than this page takes.")
        }
    }
}

extension Site {
    /// Whose session the request carries; nil for nobody's. Throws when auth cannot say, or the account is disabled.
    /// Auth gets as long as for the holder of a key.
    func person(of request: Request, _ id: RequestID) async throws(CallError) -> Auth.Person? {
        guard let session = sessionHash(of: request) else { return nil }
        do {
            let holder = try await auth.call(
                Auth.ResumeSession(session: session), request: id, timeout: Identities.callTimeout)
            return holder.person
        } catch {
            if error.code == .unauthenticated { return nil }
            throw error
        }
    }

    func sessionHash(of request: Request) -> CredentialHash? {
        cookie.secret(in: request.head).map {
            CredentialHash(of: $0, under: configuration().app.secretKey.reveal())
        }
    }

    /// Where the request comes from; nil for a Unix socket.
    func client(of request: Request, _ context: WebContext) -> IPAddress? {
        IPAddress.client(
            peer: context.channel.remoteAddress, headers: request.headers,
            trusted: configuration().app.trustedProxies)
    }

    /// Asks auth on behalf of a visitor.
    @discardableResult
    func authCall<C: Call>(_ call: C, for visit: Visit) async throws(CallError) -> C.Reply {
        try await auth.call(call, request: visit.id, timeout: Self.callTimeout)
    }

    /// The visitor's pools and models; nil when the ledger cannot say.
    func balances(for visit: Visit) async -> Ledger.BalanceSheet? {
        try? await ledger.call(
            Ledger.Balances(account: Ledger.Account(visit.person)), request: visit.id, timeout: Self.callTimeout)
    }
}
