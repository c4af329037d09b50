import SharedProtocol

/// What to start for one place among the supervised children.
struct ChildPlan: Sendable {
    let service: ServiceName
    let executable: String
    /// Without `--id`, which is another for each instance.
    let arguments: [String]
    let runDirectory: String

    func arguments(of instance: InstanceID) -> [String] { arguments + ["--id", instance.rawValue] }

    /// Where the instance answers once it is ready.
    func socket(of instance: InstanceID) -> String { runDirectory + "/" + service.socketName(of: instance) }

    /// Web's problems keep it from serving anybody. A router's may be a backend that is down: no reason to wait.
    func isReady(_ report: Instance.Report) -> Bool { service != .web || report.problems.isEmpty }

    /// The whole site, in the order in which it is started; stopping goes the other way.
    /// - Parameter programs: the folder of the services' executables.
    static func site(programs: String, configurationPath: String, runDirectory: String, routers: Int) -> [ChildPlan] {
        let services = [ServiceName.auth, .ledger] + Array(repeating: .router, count: routers) + [.web]
        return services.map { service in
            ChildPlan(
                service: service, executable: "\(programs)/\(service)-service",
                arguments: ["--config", configurationPath], runDirectory: runDirectory)
        }
    }
}
