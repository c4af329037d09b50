import ArgumentParser
import FoundationEssentials
import SharedProtocol

/// The option that every service and every command takes.
public struct ConfigurationArgument: ParsableArguments {
    @Option(help: "The configuration file; else the environment's CONFIG_YAML, else ./config.yaml.")
    public var config: String?

    public init() {}

    /// `--config`, else `CONFIG_YAML`, else `config.yaml` in the working directory.
    public var path: String { config ?? ProcessInfo.processInfo.environment["CONFIG_YAML"] ?? "config.yaml" }
}

/// The options that every service takes.
public struct ServiceArguments: ParsableArguments {
    @OptionGroup public var configuration: ConfigurationArgument

    @Option(help: "Overrides the address or socket that this instance listens on.")
    public var listen: String?

    @Option(help: "Names this instance; else a random name.")
    public var id: String?

    public init() {}

    public var instance: InstanceID { id.map { InstanceID($0) } ?? .random() }
}
