import SharedProtocol

/// What the instances of a site say of themselves, of each other and of the models.
struct SiteStatus: Codable, Equatable, Sendable {
    var instances: [Instance]
    /// As each router sees them.
    var endpoints: [Endpoint]
    var isHealthy: Bool

    struct Instance: Codable, Equatable, Sendable {
        var service: ServiceName
        /// Absent when it is not known.
        var instance: InstanceID?
        var pid: Int32?
        var version: String?
        var started: Timestamp?
        /// Absent when `lumen up` does not supervise it.
        var restarts: Int?
        /// A router that finishes its streams, takes no new ones, and leaves.
        var isDraining = false
        /// Why it is not healthy; empty when it is.
        var problems: [String]

        enum CodingKeys: String, CodingKey {
            case service, instance, pid, version, started, restarts, problems
            case isDraining = "draining"
        }
    }

    struct Endpoint: Codable, Equatable, Sendable {
        var router: InstanceID
        var model: ModelName
        var url: String
        var isHealthy: Bool
        var detail: String
        var inFlight: Int

        enum CodingKeys: String, CodingKey {
            case router, model, url, detail
            case isHealthy = "healthy"
            case inFlight = "in_flight"
        }
    }

    enum CodingKeys: String, CodingKey {
        case instances, endpoints
        case isHealthy = "healthy"
    }

    /// - Parameter supervision: absent when no `lumen up` answers.
    init(_ answers: [SocketAnswer], supervision: Supervision.Report?) {
        var instances = answers.map { Self.instance($0) }
        for child in supervision?.children ?? [] {
            if let index = instances.firstIndex(where: { $0.service == child.service && $0.instance == child.instance })
            {
                instances[index].restarts = child.restarts
                if child.state == .draining { instances[index].drain() }
            } else if let index = instances.firstIndex(where: { $0.service == child.service && $0.instance == nil }) {
                instances[index].instance = child.instance
                instances[index].pid = child.pid
                instances[index].restarts = child.restarts
            } else {
                instances.append(Self.instance(child))
            }
        }
        for service in Self.order where !instances.contains(where: { $0.service == service }) {
            instances.append(Instance(service: service, problems: ["is not running"]))
        }
        self.instances = instances.sorted { Self.rank($0) < Self.rank($1) }
        endpoints = answers.flatMap { answer in answer.endpoints.map { Self.endpoint($0, of: answer) } }
            .sorted {
                ($0.model.rawValue, $0.url, $0.router.rawValue) < ($1.model.rawValue, $1.url, $1.router.rawValue)
            }
        isHealthy = instances.allSatisfy(\.problems.isEmpty) && endpoints.allSatisfy(\.isHealthy)
    }
}

extension SiteStatus {
    private static let order: [ServiceName] = [.auth, .ledger, .router, .web]

    private static func rank(_ instance: Instance) -> (Int, String) {
        (order.firstIndex(of: instance.service) ?? order.count, instance.instance?.rawValue ?? "")
    }

    private static func instance(_ answer: SocketAnswer) -> Instance {
        switch answer.status {
        case .success(let report):
            Instance(
                service: report.service, instance: report.instance, pid: report.pid, version: report.version,
                started: report.started, problems: report.problems)
        case .failure(let error):
            Instance(
                service: answer.service, instance: answer.instance, problems: ["does not answer: \(error.message)"])
        }
    }

    /// A child without a socket.
    private static func instance(_ child: Supervision.Child) -> Instance {
        if child.state == .draining {
            return Instance(
                service: child.service, instance: child.instance, pid: child.pid, restarts: child.restarts,
                isDraining: true, problems: [])
        }
        let problem: String
        switch child.state {
        case .waiting: problem = "died; will be started again"
        case .stopped: problem = "has been stopped"
        default: problem = "is \(child.state)"
        }
        return Instance(
            service: child.service, instance: child.instance, pid: child.pid, restarts: child.restarts,
            problems: [problem])
    }

    private static func endpoint(_ health: Router.EndpointHealth, of answer: SocketAnswer) -> Endpoint {
        Endpoint(
            router: answer.instance ?? InstanceID("?"), model: health.model, url: health.url,
            isHealthy: health.isHealthy, detail: health.detail, inFlight: health.inFlight)
    }
}

extension SiteStatus.Instance {
    /// That it no longer answers calls is what it was told to do.
    fileprivate mutating func drain() {
        isDraining = true
        problems = []
    }
}
