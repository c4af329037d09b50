import ArgumentParser
import FoundationEssentials
import SharedProtocol

/// The options that every service takes.
public struct ServiceArguments: ParsableArguments {
    @Option(help: "The configuration file; else the environment's CONFIG_YAML, else ./config.yaml.")
    public var config: String?

    @Option(help: "Overrides the address or socket that this instance listens on.")
    public var listen: String?

    @Option(help: "Names this instance; else a random name.")
    public var id: String?

    public init() {}

    /// `--config`, else `CONFIG_YAML`, else `config.yaml` in the working directory.
    public var configurationPath: String {
        config ?? ProcessInfo.processInfo.environment["CONFIG_YAML"] ?? "config.yaml"
    }

    public var instance: InstanceID { id.map { InstanceID($0) } ?? .random() }
}
