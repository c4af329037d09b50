/// Everything that `config.yaml` and the environment say, decoded once and checked as a whole: a plain value. Its parts
/// are named as the file's sections; `config/config.yaml.example` explains every key.
public struct LumenConfiguration: Sendable, Hashable {
    public var app: AppConfiguration
    public var sessions: SessionConfiguration
    /// Absent when there is no identity provider; then `app.devUser` is set.
    public var oauth2: OAuth2Configuration?
    /// E-mail addresses in lower case. Ask `isAdmin`.
    public var admins: Set<String>
    /// In the file's order; names are unique.
    public var models: [ModelConfiguration]
    /// Always contains `default`.
    public var groups: [GroupName: GroupConfiguration]
    public var chat: ChatConfiguration
    public var rateLimiting: RateLimitingConfiguration
    public var api: APIConfiguration
    public var routing: RoutingConfiguration
    public var usage: UsageConfiguration
    public var metrics: MetricsConfiguration

    /// Whether this address is listed under `admins`, without regard to case.
    public func isAdmin(_ email: String) -> Bool { EmailAddress.normalized(email).map(admins.contains) ?? false }

    public func model(_ name: ModelName) -> ModelConfiguration? { models.first { $0.name == name } }
}

extension LumenConfiguration {
    /// Always a value: whether it may be used, the document's problems tell.
    init(_ root: ConfigurationSection) {
        let oauth2 = OAuth2Configuration.read(root)
        app = AppConfiguration(root.section("app"), redirect: oauth2?.redirectURI)
        sessions = SessionConfiguration(root.section("sessions"))
        admins = Set(root.readList("admins", .email) ?? [])
        routing = RoutingConfiguration(root.section("routing"))
        models = ModelConfiguration.readAll(root, timeouts: routing.timeouts)
        groups = GroupConfiguration.readAll(root, models: models.map(\.name))
        chat = ChatConfiguration(root.section("chat"))
        rateLimiting = RateLimitingConfiguration(root.section("rate_limiting"))
        api = APIConfiguration(root.section("api"))
        usage = UsageConfiguration(root.section("usage"))
        metrics = MetricsConfiguration(root.section("metrics"))
        self.oauth2 = oauth2
        root.finish()
        OAuth2Configuration.check(oauth2, app: app, in: root)
    }
}
